"""The stages of one dataset, each of which can be run again.

A stage reads what earlier ones stored, and stores its result before it returns; one whose result is
already stored returns at once. So whoever calls them may be killed at any moment and call again.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

from gateway.artifacts import ArtifactStore
from gateway.dataset import Dataset, Stage
from gateway.pipeline_types import NeighborGraph, OnProgress, Stages
from gateway.store import DatasetStore
from gateway.worker.naming import name_clusters
from gateway.worker.reporting import run_reporting
from gateway.worker.scattered_rows import read_cells
from gateway.worker.terrain import describe_terrain
from gateway.worker.transient import with_retries
from gateway.worker.unique_texts import UniqueTexts, expand_rows
from gateway.worker.vector_file import VectorFile

BLOCK_ROWS = 4_096
_GRAPH = ("row_nodes", "indices", "distances")


class Pipeline:
    """Runs the stages of datasets.

    Parameters
    ----------
    store : DatasetStore
    artifacts : ArtifactStore
    stages : Stages
        The compute stages, wherever they run.
    """

    def __init__(self, store: DatasetStore, artifacts: ArtifactStore, stages: Stages) -> None:
        self._store = store
        self._artifacts = artifacts
        self._stages = stages

    async def embed(self, dataset_id: str) -> list[str]:
        """Store the vector of every row; return the names of what is stored."""
        dataset = await self._get(dataset_id)
        if "vectors" not in dataset.artifacts:
            async with self._timed(dataset_id, Stage.EMBEDDING):
                await run_reporting(
                    self._store,
                    dataset_id,
                    Stage.EMBEDDING,
                    lambda on_progress: self._embed(dataset, on_progress),
                )
        return ["vectors"]

    async def cluster(self, dataset_id: str) -> list[str]:
        """Store the neighbour graph and the clusters; return the names of what is stored."""
        dataset = await self._get(dataset_id)
        if "clusters" not in dataset.artifacts:
            async with self._timed(dataset_id, Stage.CLUSTERING):
                await run_reporting(
                    self._store,
                    dataset_id,
                    Stage.CLUSTERING,
                    lambda on_progress: self._cluster(dataset, on_progress),
                )
        return ["clusters"]

    async def name(self, dataset_id: str) -> list[str]:
        """Store a name for every cluster; return the names of what is stored."""
        dataset = await self._get(dataset_id)
        if "names" not in dataset.artifacts:
            async with self._timed(dataset_id, Stage.ANALYZING):
                await run_reporting(
                    self._store,
                    dataset_id,
                    Stage.ANALYZING,
                    lambda on_progress: self._name(dataset, on_progress),
                )
        return ["names"]

    async def lay_out(self, dataset_id: str) -> list[str]:
        """Store the position of every row; return the names of what is stored."""
        dataset = await self._get(dataset_id)
        if "positions" not in dataset.artifacts:
            async with self._timed(dataset_id, "layout"):
                await self._lay_out(dataset)
        return ["positions"]

    async def build_terrain(self, dataset_id: str) -> list[str]:
        """Store the terrain and complete the dataset; return the names of what is stored."""
        async with self._timed(dataset_id, Stage.BUILDING_TERRAIN):
            await run_reporting(
                self._store, dataset_id, Stage.BUILDING_TERRAIN, lambda _: self._build(dataset_id)
            )
        return ["terrain", "heights"]

    async def fail(self, dataset_id: str, error: str) -> None:
        """Mark the dataset failed."""
        await asyncio.to_thread(self._store.fail, dataset_id, error)

    async def _embed(self, dataset: Dataset, on_progress: OnProgress) -> None:
        rows = self._artifacts.path(dataset.dataset_id, dataset.artifacts["rows"])
        column = dataset.text_column
        unique = await asyncio.to_thread(UniqueTexts.of, rows, column, dataset.row_count)
        folder = self._artifacts.dataset_dir(dataset.dataset_id)
        file = await asyncio.to_thread(VectorFile, folder)
        while file.so_far.row_count < unique.count:
            start = file.so_far.row_count
            block = unique.first_rows[start : start + BLOCK_ROWS]
            texts = await asyncio.to_thread(read_cells, rows, column, block)
            fingerprint = file.so_far.model.fingerprint if file.so_far.model else ""
            answer = await with_retries(partial(self._stages.embed, texts, fingerprint))
            await asyncio.to_thread(
                file.append, answer.vectors, answer.truncated_count, answer.model
            )
            on_progress(file.so_far.row_count / unique.count)
        await asyncio.to_thread(self._keep_vectors, dataset, unique, file)

    def _keep_vectors(self, dataset: Dataset, unique: UniqueTexts, file: VectorFile) -> None:
        dataset_id, model = dataset.dataset_id, file.so_far.model
        assert model is not None
        with self._artifacts.writing(dataset_id, "vectors.npy") as target:
            expand_rows(file.read(), unique.unique_of_row, target)
        artifact = self._artifacts.describe(dataset_id, "vectors", "vectors.npy", ("rows",))
        duplicates = dataset.row_count - unique.count
        counts = {
            "duplicate_text_count": duplicates,
            "truncated_count": file.so_far.truncated_count,
        }
        warnings = _truncation_warning(file.so_far.truncated_count, model.max_token_count)
        self._store.note(dataset_id, warnings=warnings, counts=counts, model=asdict(model))
        self._store.put_artifacts(dataset_id, artifact)
        file.remove()

    async def _cluster(self, dataset: Dataset, on_progress: OnProgress) -> None:
        parameters = dataset.parameters
        vectors = self._artifacts.open_array(dataset.dataset_id, dataset.artifacts["vectors"])
        clustering = await with_retries(
            partial(
                self._stages.cluster,
                vectors,
                parameters.algorithm,
                parameters.algorithm_parameters,
                parameters.random_seed,
                parameters.neighbor_count,
                parameters.exemplar_count,
                on_progress,
            )
        )
        layer = clustering.terrain_layer
        arrays = {name: getattr(clustering.graph, name) for name in _GRAPH}
        arrays |= {"labels": layer.labels, "nearest": layer.nearest}
        arrays |= {"strengths": layer.strengths, "centroids": layer.centroids}
        clusters = [asdict(cluster) for cluster in layer.clusters]
        await asyncio.to_thread(
            self._keep_clusters, dataset.dataset_id, arrays, clusters, clustering.outcome
        )

    def _keep_clusters(
        self,
        dataset_id: str,
        arrays: dict[str, Any],
        clusters: list[dict[str, Any]],
        outcome: dict[str, Any],
    ) -> None:
        files = [
            self._artifacts.save_array(dataset_id, name, array, ("vectors",))
            for name, array in arrays.items()
        ]
        files.append(self._artifacts.save_json(dataset_id, "clusters", clusters, ("vectors",)))
        counts = {"cluster_count": len(clusters), "noise_count": outcome["noise_count"]}
        self._store.note(dataset_id, counts=counts, clustering=outcome)
        self._store.put_artifacts(dataset_id, *files)

    async def _name(self, dataset: Dataset, on_progress: OnProgress) -> None:
        names = await name_clusters(
            dataset, self._artifacts, self._store, self._stages, on_progress
        )
        artifact = await asyncio.to_thread(
            self._artifacts.save_json,
            dataset.dataset_id,
            "names",
            [asdict(name) for name in names],
            ("clusters", "rows"),
        )
        await asyncio.to_thread(self._store.put_artifacts, dataset.dataset_id, artifact)

    async def _lay_out(self, dataset: Dataset) -> None:
        graph = NeighborGraph(
            **{
                name: self._artifacts.open_array(dataset.dataset_id, dataset.artifacts[name])
                for name in _GRAPH
            }
        )
        seed = dataset.parameters.random_seed
        positions = await with_retries(partial(self._stages.lay_out, graph, seed, lambda _: None))
        artifact = await asyncio.to_thread(
            self._artifacts.save_array, dataset.dataset_id, "positions", positions, _GRAPH
        )
        await asyncio.to_thread(self._store.put_artifacts, dataset.dataset_id, artifact)

    async def _build(self, dataset_id: str) -> None:
        dataset = await self._get(dataset_id)
        terrain, heights = await describe_terrain(dataset, self._artifacts, self._stages)
        parents = ("clusters", "names", "positions")
        files = await asyncio.to_thread(
            lambda: [
                self._artifacts.save_json(dataset_id, "terrain", terrain, parents),
                self._artifacts.save_array(dataset_id, "heights", heights, parents),
            ]
        )
        await asyncio.to_thread(self._store.put_artifacts, dataset_id, *files)

    async def complete(self, dataset_id: str) -> list[str]:
        """Mark the dataset completed; return nothing further that is stored."""
        await asyncio.to_thread(self._store.complete, dataset_id)
        return []

    async def _get(self, dataset_id: str) -> Dataset:
        return await asyncio.to_thread(self._store.get, dataset_id)

    @asynccontextmanager
    async def _timed(self, dataset_id: str, name: str) -> AsyncIterator[None]:
        """Note how long the block took, in seconds."""
        start = time.monotonic()
        yield
        seconds = round(time.monotonic() - start, 3)
        await asyncio.to_thread(self._store.note, dataset_id, timings={str(name): seconds})


def _truncation_warning(count: int, max_token_count: int) -> list[str]:
    if not count:
        return []
    texts = "1 text is" if count == 1 else f"{count:,} texts are"
    return [f"{texts} longer than the model reads; what follows token {max_token_count} was cut."]
