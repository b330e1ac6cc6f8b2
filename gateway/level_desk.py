"""Levels completed datasets: says what it would come to, and sets it going."""

import asyncio
from typing import Any

from gateway.artifacts import ArtifactStore
from gateway.dataset import Dataset, Status
from gateway.errors import DatasetNotFound, PlanMissing
from gateway.job_store import JobStore
from gateway.job_view import job_view
from gateway.jobs import JobKind, NewJob
from gateway.layer_files import layers_of_completed
from gateway.layer_weights import LayerWeights
from gateway.layers import Layers
from gateway.level_requests import read_body, to_json, to_level_request
from gateway.level_schemas import LevelBody, LevelQuestion, TargetBody
from gateway.material_reader import MaterialReader
from gateway.pipeline_types import Stages
from gateway.plan_view import (
    describe_curve,
    describe_noise_effects,
    describe_plan,
    weights_in_layer,
)
from gateway.reference_shares import reference_shares
from gateway.request_context import current_request_id
from gateway.store import DatasetStore
from gateway.terrains import Terrains
from level_rpc.errors import FieldInvalid
from levelling.plans.material import Material
from levelling.plans.noise_effects import DEFAULT_NOISE_POLICIES, noise_effects
from levelling.plans.plan import plan_curve, prepare, preview
from levelling.plans.plan_types import Plan
from levelling.request import LevelRequest, NoiseKind, NoisePolicy
from levelling.targets import TargetKind

_LONGEST_SECONDS = 60.0
_MOST_SOLVES = 2  # at once: the threads they run in answer everything else as well
_PLAN_FIELDS = ("layer", "solution", "metrics", "reasons", "coverage", "notes")


class LevelDesk:
    """Answers what a levelling comes to, and records the ones that are to be done.

    Parameters
    ----------
    store : DatasetStore
    jobs : JobStore
    artifacts : ArtifactStore
    stages : Stages
        Assign the rows of a reference, and find near-duplicates at other distances.
    terrains : Terrains
    """

    def __init__(
        self,
        store: DatasetStore,
        jobs: JobStore,
        artifacts: ArtifactStore,
        stages: Stages,
        terrains: Terrains,
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._artifacts = artifacts
        self._stages = stages
        self._terrains = terrains
        self._materials = MaterialReader(artifacts, stages, 0.0, _LONGEST_SECONDS)
        self._solving = asyncio.Semaphore(_MOST_SOLVES)

    async def level(self, dataset: Dataset, body: bytes, if_match: str | None) -> dict[str, Any]:
        """Return what the levelling that a body asks for comes to, as JSON values.

        Where it is to be applied, its weights are stored as the next revision together with the
        job that chooses rows. Where only that choice decides the weights, the job sets them.

        Raises
        ------
        RequestRefused, FieldInvalid, InvalidTarget, LayerUnknown
            When it cannot be meant.
        ReferenceRefused, DatasetTooOld, DatasetNotReady, DatasetFailed
            When it cannot be done with these datasets.
        RevisionConflict
            When `if_match` does not name the current revision.
        """
        asked = read_body(body, LevelBody)
        layers = await asyncio.to_thread(layers_of_completed, self._artifacts, dataset)
        question = await self._resolve(dataset, layers, asked)
        request = to_level_request(question, layers.find(question.layer))
        material = await self._materials.read(dataset, layers, request)
        async with self._solving:
            plan, effects = await asyncio.to_thread(_try_plan, material, request)
        revision, job = dataset.revision, None
        if asked.apply:
            new = NewJob(JobKind.LEVEL, to_json(question), current_request_id())
            revision = await asyncio.to_thread(
                self._apply, dataset.dataset_id, layers, plan, new, if_match
            )
            job = {"job_id": new.job_id, "status": Status.PROCESSING}
        described = describe_plan(plan) if plan else {}
        return {
            **{name: described.get(name) for name in ("solution", "metrics")},
            "notes": described.get("notes", []),
            "layer": request.layer,
            "noise_effects": effects,
            "request": to_json(question),
            "revision": revision,
            "job": job,
        }

    async def curve(self, dataset: Dataset, question: LevelQuestion, steps: int) -> dict[str, Any]:
        """Return what each step of flatness would cost, as JSON values.

        Raises
        ------
        InvalidTarget, LayerUnknown, DatasetTooOld
            When it cannot be meant, or not be done with this dataset.
        """
        layers = await asyncio.to_thread(layers_of_completed, self._artifacts, dataset)
        request = to_level_request(question, layers.find(question.layer))
        material = await self._materials.read(dataset, layers, request)
        async with self._solving:
            curve = await asyncio.to_thread(plan_curve, material, request, steps)
        return {"layer": request.layer, **describe_curve(curve)}

    def current(self, dataset: Dataset) -> dict[str, Any]:
        """Return the last levelling that was applied, as JSON values; blocks.

        Raises
        ------
        PlanMissing
            When there was none.
        """
        job = self._jobs.find(dataset.dataset_id, JobKind.LEVEL)
        if job is None:
            raise PlanMissing
        result = job.result or {}
        return {
            **job_view(job, dataset),
            "request": job.request,
            **{name: result.get(name) for name in _PLAN_FIELDS},
        }

    async def _resolve(self, dataset: Dataset, layers: Layers, asked: LevelBody) -> LevelQuestion:
        """Return the question without what may mean something else later: layer and reference."""
        layer = layers.find(asked.layer)
        known: dict[str, Any] = {"layer": layer.layer_index}
        if asked.reference_dataset_id is not None:
            if asked.target.kind not in (TargetKind.AUTO, TargetKind.CUSTOM) or asked.target.shares:
                message = "A reference is the target: leave target out."
                raise FieldInvalid(message, field="target")
            reference = await self._reference(asked.reference_dataset_id)
            shares = await reference_shares(
                self._stages, self._artifacts, dataset, layer, reference
            )
            known["target"] = TargetBody(kind=TargetKind.CUSTOM, shares=shares)
        return asked.model_copy(update=known)

    async def _reference(self, dataset_id: str) -> Dataset:
        try:
            return await asyncio.to_thread(self._terrains.completed, dataset_id)
        except DatasetNotFound:
            message = "There is no dataset with the id of the reference."
            raise FieldInvalid(message, field="reference_dataset_id") from None

    def _apply(
        self, dataset_id: str, layers: Layers, plan: Plan | None, job: NewJob, if_match: str | None
    ) -> int:
        """Record the job, with its weights where they are known; return their revision."""
        expected = self._terrains.expected_revision(dataset_id, if_match)
        if plan is None:
            return self._jobs.add(dataset_id, job, expected)
        weights = LayerWeights.from_plan(layers, plan.cluster_weights, plan.noise_weight)
        stored = weights.to_stored()
        return self._store.adjust(dataset_id, lambda _: stored, expected, job).revision


def _try_plan(
    material: Material, request: LevelRequest
) -> tuple[Plan | None, list[dict[str, Any]]]:
    """Return the plan as far as it is known before rows are chosen, and what noise would do."""
    plan = preview(prepare(material, request))
    policies: tuple[NoisePolicy, ...] = DEFAULT_NOISE_POLICIES
    if material.nearest is None:
        policies = tuple(one for one in policies if one.kind is not NoiseKind.ASSIGN)
    weights = weights_in_layer(plan) if plan else None
    effects = noise_effects(
        material, policies, layer=request.layer, cluster_weights=weights, seed=request.seed
    )
    return plan, describe_noise_effects(effects)
