"""Makes the plan of a levelling: which rows stay, and what each weighs."""

import asyncio
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.artifacts import ArtifactStore
from gateway.dataset import Artifact, Dataset
from gateway.job_store import JobStore
from gateway.jobs import Job
from gateway.layer_files import layers_of_completed
from gateway.layer_weights import LayerWeights
from gateway.level_requests import to_level_request
from gateway.level_schemas import LevelQuestion
from gateway.material_reader import MaterialReader
from gateway.pipeline_types import NeighborGraph, OnProgress, Stages
from gateway.plan_view import describe_plan, describe_rows
from gateway.plans import PLAN_ARRAYS, PLAN_FILES, plan_files
from gateway.store import DatasetStore
from gateway.worker.dataset_job import Finished
from gateway.worker.results import GRAPH_ARRAYS
from gateway.worker.transient import PATIENCE_SECONDS, in_store, with_retries
from levelling.plans.picks import PickTask, Selection
from levelling.plans.plan import advance, finish, prepare
from levelling.plans.plan_types import Plan
from levelling.plans.prepared import Prepared

_READ, _PICKED = 0.1, 0.95  # how far a plan is when its material is there, and its rows


class PlanMaker:
    """Makes plans; each may be begun again at any moment.

    Parameters
    ----------
    store : DatasetStore
    jobs : JobStore
    artifacts : ArtifactStore
    stages : Stages
        Select rows, and find near-duplicates.
    patience_seconds : float
        For how long a service that cannot be reached is called again.
    """

    def __init__(
        self,
        store: DatasetStore,
        jobs: JobStore,
        artifacts: ArtifactStore,
        stages: Stages,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._artifacts = artifacts
        self._stages = stages
        self._materials = MaterialReader(artifacts, stages, patience_seconds)
        self._patience_seconds = patience_seconds

    async def make(self, job: Job, on_progress: OnProgress) -> Finished:
        """Return the plan that a job asks for, its arrays on disk."""
        dataset = await in_store(self._store.get, job.dataset_id)
        layers = await asyncio.to_thread(layers_of_completed, self._artifacts, dataset)
        question = LevelQuestion.model_validate(job.request)
        request = to_level_request(question, layers.find(question.layer))
        picks = request.chooses_rows
        material = await self._materials.read(dataset, layers, request, picks=picks)
        on_progress(_READ)
        prepared = await asyncio.to_thread(prepare, material, request)
        plan = await self._pick(dataset, prepared, on_progress)
        on_progress(_PICKED)
        groups = material.near_dup_groups
        return Finished(
            {"request": job.request, **describe_plan(plan), **describe_rows(plan)},
            await in_store(self._keep, job, plan, groups),
            LayerWeights.from_plan(layers, plan.cluster_weights, plan.noise_weight).to_stored(),
        )

    def discard(self, job: Job) -> None:
        """Remove the files of a plan that nobody will name; blocks."""
        self._artifacts.remove(job.dataset_id, f"plan_*-{job.job_id}.npy", ())

    async def _pick(self, dataset: Dataset, prepared: Prepared, on_progress: OnProgress) -> Plan:
        def report(fraction: float) -> None:
            on_progress(_READ + (_PICKED - _READ) * fraction)

        while prepared.task is not None:
            selection = await self._select(dataset, prepared.task, report)
            prepared = await asyncio.to_thread(advance, prepared, selection)
        return await asyncio.to_thread(finish, prepared)

    async def _select(self, dataset: Dataset, task: PickTask, on_progress: OnProgress) -> Selection:
        vectors = await asyncio.to_thread(self._open, dataset, "vectors")
        arrays = {name: await asyncio.to_thread(self._open, dataset, name) for name in GRAPH_ARRAYS}
        graph = NeighborGraph(**arrays)
        return await with_retries(
            lambda: self._stages.select_rows(vectors, graph, task, on_progress),
            self._patience_seconds,
        )

    def _open(self, dataset: Dataset, name: str) -> NDArray[Any]:
        return self._artifacts.open_array(dataset.dataset_id, dataset.artifacts[name])

    def _keep(self, job: Job, plan: Plan, groups: NDArray[np.int32] | None) -> tuple[Artifact, ...]:
        """Write the arrays of a plan; they count once the database names them."""
        self._remove_others(job)
        if groups is None:
            groups = np.arange(plan.copies.size, dtype=np.int32)
        arrays: tuple[NDArray[Any], ...] = (
            plan.copies.astype(np.int32),
            plan.sample_weight.astype(np.float64),
            plan.reasons.astype(np.uint8),
            groups.astype(np.int32),
        )
        parents = ("labels", *GRAPH_ARRAYS)
        return tuple(
            self._artifacts.save_array(job.dataset_id, name, array, parents, file_name=file_name)
            for name, file_name, array in zip(
                PLAN_ARRAYS, plan_files(job.job_id), arrays, strict=True
            )
        )

    def _remove_others(self, job: Job) -> None:
        """Remove what jobs left that this one replaced; a file that is named stays until the next.

        Raises
        ------
        JobGone
            When this job was replaced itself: the others' files are not its to remove.
        """
        self._jobs.get(job.job_id)
        named = {file.path for file in self._store.get(job.dataset_id).artifacts.values()}
        self._artifacts.remove(job.dataset_id, PLAN_FILES, named)
