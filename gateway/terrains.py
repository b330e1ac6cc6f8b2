"""Terrains of completed datasets: read at their current weights, and adjusted."""

import asyncio
import json
from contextlib import suppress
from typing import Any

from gateway.adjustments import (
    RevisionUnknown,
    apply_adjustments,
    check_adjustments,
    expected_revisions,
    parse_adjustments,
)
from gateway.artifacts import ArtifactStore
from gateway.dataset import Dataset, Status, WeightsRevision
from gateway.errors import DatasetFailed, DatasetNotReady, StoreUnavailable
from gateway.memory import DatasetMemory, LoadedDataset
from gateway.pipeline_types import Stages
from gateway.store import DatasetStore
from gateway.terrain_view import Terrain, is_original


class Terrains:
    """Terrains, kept ready in memory while they are used.

    Parameters
    ----------
    store : DatasetStore
    artifacts : ArtifactStore
    stages : Stages
        Builds the ground at weights other than 1.
    memory : DatasetMemory
    """

    def __init__(
        self, store: DatasetStore, artifacts: ArtifactStore, stages: Stages, memory: DatasetMemory
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._stages = stages
        self._memory = memory

    async def render(self, dataset: Dataset, weights: WeightsRevision) -> bytes:
        """Return the terrain at these weights as JSON.

        Raises
        ------
        Unavailable
            When the ground must be built and the terrain service cannot answer.
        """
        loaded = await asyncio.to_thread(self._load, dataset)
        async with loaded.rendering:
            if loaded.rendered is not None and loaded.rendered[0] == weights.revision:
                return loaded.rendered[1]
            terrain, heights = loaded.terrain, loaded.heights
            if not is_original(weights.weights):
                built = await self._stages.build_terrain(
                    terrain.shapes(weights.weights), terrain.grid_size, terrain.height_scale
                )
                heights = built.heights
            body = await asyncio.to_thread(
                lambda: _to_json(terrain.view(weights.weights, weights.revision, heights))
            )
            loaded.rendered = (weights.revision, body)
            return body

    def adjust(self, dataset_id: str, body: bytes, if_match: str | None) -> bytes:
        """Return metrics, weights and revision after an adjustment, as JSON; blocks.

        Raises
        ------
        DatasetNotFound, DatasetNotReady, DatasetFailed
            When there is no terrain to adjust.
        RequestRefused, WeightsRefused
            When the body is not an adjustment of this terrain.
        RevisionConflict
            When `if_match` does not name the current revision.
        """
        # What is in memory is completed and stays so, unless it is deleted: then the store says so.
        loaded = self._memory.find(dataset_id)
        if loaded is None:
            loaded = self._load(require_completed(self._store.get(dataset_id)))
        terrain = loaded.terrain
        changes = check_adjustments(parse_adjustments(body), terrain.weighed_ids)
        adjusted = self._store.adjust(
            dataset_id,
            lambda weights: apply_adjustments(weights, changes, terrain.weighed_ids.values()),
            self._expected_revision(dataset_id, if_match),
        )
        weights = terrain.complete_weights(adjusted.weights)
        return _to_json(
            {
                "metrics": terrain.metrics(weights),
                "weights": {str(cluster): weight for cluster, weight in weights.items()},
                "revision": adjusted.revision,
            }
        )

    def touch(self, dataset: Dataset) -> None:
        """Note that a dataset was used; blocks."""
        # That it cannot be noted now is no reason to refuse what can be read.
        with suppress(StoreUnavailable):
            self._store.touch(dataset)

    def _load(self, dataset: Dataset) -> LoadedDataset:
        def load() -> LoadedDataset:
            files = dataset.artifacts
            stored = self._artifacts.load_json(dataset.dataset_id, files["terrain"])
            heights = self._artifacts.open_array(dataset.dataset_id, files["heights"])
            return LoadedDataset(Terrain.from_stored(stored), heights)

        return self._memory.get(dataset.dataset_id, load)

    def _expected_revision(self, dataset_id: str, if_match: str | None) -> int | None:
        accepted = expected_revisions(if_match)
        if accepted is None:
            return None
        if len(accepted) == 1:
            return next(iter(accepted))
        current = self._store.weights(dataset_id).revision
        if current not in accepted:
            raise RevisionUnknown
        return current


def require_completed(dataset: Dataset) -> Dataset:
    """Return the dataset; raise DatasetNotReady or DatasetFailed unless it is completed."""
    if dataset.status == Status.PROCESSING:
        raise DatasetNotReady
    if dataset.status == Status.FAILED:
        raise DatasetFailed(dataset.error)
    return dataset


def _to_json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
