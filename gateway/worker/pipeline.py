"""The stages of one dataset, each of which can be run again.

A stage reads what earlier ones stored, and stores its result before it returns; one whose result is
already stored returns at once. So whoever calls them may be killed at any moment and call again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from gateway.artifacts import ArtifactStore
from gateway.dataset import Artifact, Dataset, Stage, Status, overall_progress
from gateway.errors import DatasetNotFound
from gateway.layer_files import NEAR_DUPLICATES
from gateway.pipeline_types import NeighborGraph, OnProgress, Stages
from gateway.store import DatasetStore
from gateway.worker.embedding import DatasetEmbedder
from gateway.worker.naming import name_clusters
from gateway.worker.near_duplicates import find_groups
from gateway.worker.reporting import run_reporting
from gateway.worker.results import GRAPH_ARRAYS, StageResults
from gateway.worker.terrain import describe_terrains
from gateway.worker.transient import PATIENCE_SECONDS, in_store, with_retries
from gateway.worker.vector_file import VectorFile

T = TypeVar("T")
LAYOUT_SHARE = 0.8  # of the progress of building the terrain
NEAR_DUPLICATES_TIME = "near_duplicates"


class Pipeline:
    """Runs the stages of datasets.

    Parameters
    ----------
    store : DatasetStore
    artifacts : ArtifactStore
    stages : Stages
        The compute stages, wherever they run.
    patience_seconds : float
        For how long a service that cannot be reached is called again.
    embedder_calls : int
        How many calls of the embedder run at a time for one dataset; 0: by how many there are.
    """

    def __init__(
        self,
        store: DatasetStore,
        artifacts: ArtifactStore,
        stages: Stages,
        patience_seconds: float = PATIENCE_SECONDS,
        embedder_calls: int = 0,
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._stages = stages
        self._results = StageResults(store, artifacts)
        self._patience_seconds = patience_seconds
        self._embedder = DatasetEmbedder(store, artifacts, stages, embedder_calls, patience_seconds)

    async def embed(self, dataset_id: str) -> list[str]:
        """Store the vector of every row; return the names of what is stored."""
        await self._once("vectors", dataset_id, Stage.EMBEDDING, self._embedder.embed)
        await asyncio.to_thread(VectorFile.remove_from, self._artifacts.dataset_dir(dataset_id))
        return ["vectors"]

    async def cluster(self, dataset_id: str) -> list[str]:
        """Store the neighbour graph, every layer and near-duplicates; return what is stored."""
        await self._once("clusters", dataset_id, Stage.CLUSTERING, self._cluster)
        find = self._find_near_duplicates
        await self._once(NEAR_DUPLICATES, dataset_id, Stage.CLUSTERING, find, NEAR_DUPLICATES_TIME)
        return ["clusters", NEAR_DUPLICATES]

    async def name(self, dataset_id: str) -> list[str]:
        """Store a name for every cluster; return the names of what is stored."""
        await self._once("names", dataset_id, Stage.ANALYZING, self._name)
        progress = overall_progress(Stage.BUILDING_TERRAIN, 0.0)
        await in_store(self._store.advance, dataset_id, Stage.BUILDING_TERRAIN, progress)
        return ["names"]

    async def lay_out(self, dataset_id: str) -> list[str]:
        """Store the position of every row; return the names of what is stored."""
        # While clusters are being named, that is what shows.
        stage = Stage.BUILDING_TERRAIN
        await self._once("positions", dataset_id, stage, self._lay_out, "layout", enter=False)
        return ["positions"]

    async def build_terrain(self, dataset_id: str) -> list[str]:
        """Store the terrain; return the names of what is stored."""
        await self._once("terrain", dataset_id, Stage.BUILDING_TERRAIN, self._build)
        return ["terrain", "heights"]

    async def complete(self, dataset_id: str) -> list[str]:
        """Mark the dataset completed; return nothing further that is stored."""
        await in_store(self._store.complete, dataset_id)
        return []

    async def fail(self, dataset_id: str, error: str) -> None:
        """Mark the dataset failed and remove what can be of no use any more."""
        await in_store(self._store.fail, dataset_id, error)
        await asyncio.to_thread(VectorFile.remove_from, self._artifacts.dataset_dir(dataset_id))

    async def request_id(self, dataset_id: str) -> str:
        """Return the id of the request that uploaded the dataset."""
        return (await self._get(dataset_id)).request_id

    async def is_processing(self, dataset_id: str) -> bool:
        """Return whether the dataset is there and has not ended."""
        try:
            return (await self._get(dataset_id)).status == Status.PROCESSING
        except DatasetNotFound:
            return False

    async def is_deleted(self, dataset_id: str) -> bool:
        """Return whether there is no such dataset any more."""
        try:
            await self._get(dataset_id)
        except DatasetNotFound:
            return True
        return False

    async def discard(self, dataset_id: str) -> None:
        """Remove what was written after a dataset had been deleted."""
        await asyncio.to_thread(self._artifacts.delete, dataset_id)

    async def _once(
        self,
        artifact: str,
        dataset_id: str,
        stage: Stage,
        work: Callable[[Dataset, OnProgress], Awaitable[None]],
        timing: str = "",
        *,
        enter: bool = True,
    ) -> None:
        """Do the work of a stage unless `artifact`, its result, is stored."""
        dataset = await self._get(dataset_id)
        if artifact in dataset.artifacts:
            return
        start = time.monotonic()
        await run_reporting(self._store, dataset_id, stage, partial(work, dataset), enter=enter)
        seconds = {timing or str(stage): round(time.monotonic() - start, 3)}
        await in_store(self._store.note, dataset_id, timings=seconds)

    async def _cluster(self, dataset: Dataset, on_progress: OnProgress) -> None:
        parameters = dataset.parameters
        vectors = await self._open(self._artifacts.open_array, dataset, "vectors")
        clustering = await self._patiently(
            partial(
                self._stages.cluster,
                vectors,
                parameters.algorithm,
                parameters.algorithm_parameters,
                parameters.random_seed,
                parameters.neighbor_count,
                parameters.exemplar_count,
                parameters.exemplar_kind,
                on_progress,
            )
        )
        await in_store(self._results.keep_clusters, dataset.dataset_id, clustering)

    async def _find_near_duplicates(self, dataset: Dataset, on_progress: OnProgress) -> None:
        groups = await find_groups(
            dataset,
            self._artifacts,
            self._stages,
            on_progress=on_progress,
            patience_seconds=self._patience_seconds,
        )
        await in_store(self._results.keep_near_duplicates, dataset.dataset_id, groups)

    async def _name(self, dataset: Dataset, on_progress: OnProgress) -> None:
        names = await name_clusters(
            dataset,
            self._artifacts,
            self._store,
            self._stages,
            on_progress,
            self._patience_seconds,
        )
        await in_store(self._results.keep_names, dataset.dataset_id, names)

    async def _lay_out(self, dataset: Dataset, on_progress: OnProgress) -> None:
        dataset_id = dataset.dataset_id
        graph = NeighborGraph(
            **{
                name: await self._open(self._artifacts.open_array, dataset, name)
                for name in GRAPH_ARRAYS
            }
        )
        labels = await self._open(self._artifacts.open_array, dataset, "labels")
        layout = await self._patiently(
            lambda: self._stages.lay_out(
                graph,
                labels,
                dataset.parameters.random_seed,
                lambda fraction: on_progress(LAYOUT_SHARE * fraction),
            )
        )
        await in_store(self._results.keep_layout, dataset_id, layout)

    async def _build(self, dataset: Dataset, on_progress: OnProgress) -> None:
        on_progress(LAYOUT_SHARE)
        terrains = await describe_terrains(
            dataset, self._artifacts, self._stages, self._patience_seconds
        )
        await in_store(self._results.keep_terrains, dataset.dataset_id, terrains)

    async def _open(self, opener: Callable[[str, Artifact], T], dataset: Dataset, name: str) -> T:
        # In a thread: the first opening reads the whole file.
        return await asyncio.to_thread(opener, dataset.dataset_id, dataset.artifacts[name])

    async def _get(self, dataset_id: str) -> Dataset:
        return await in_store(self._store.get, dataset_id)

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        return await with_retries(call, self._patience_seconds)
