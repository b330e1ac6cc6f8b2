"""Terrains of completed datasets: read at their current weights, and adjusted."""

import asyncio
import json
from contextlib import suppress
from typing import Any

from gateway.adjustments import (
    RevisionUnknown,
    check_adjustments,
    expected_revisions,
    parse_adjustments,
)
from gateway.artifacts import ArtifactStore
from gateway.dataset import Dataset, Status, WeightsRevision
from gateway.errors import DatasetFailed, DatasetNotReady, StoreUnavailable
from gateway.layer_files import artifact_name, layers_of_completed
from gateway.layer_weights import LayerWeights
from gateway.layers import LayerClusters, Layers
from gateway.memory import DatasetMemory, LoadedDataset, LoadedTerrain
from gateway.pipeline_types import Stages
from gateway.store import DatasetStore
from gateway.terrain_view import Terrain


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

    async def render(
        self, dataset: Dataset, weights: WeightsRevision, layer_index: int | None = None
    ) -> bytes:
        """Return the terrain of a layer, by default the terrain layer, at these weights as JSON.

        Raises
        ------
        LayerUnknown
            When there is no such layer.
        Unavailable
            When the ground must be built and the terrain service cannot answer.
        """
        loaded = await asyncio.to_thread(self._load_layer, dataset, layer_index)
        async with loaded.rendering:
            if loaded.rendered is not None and loaded.rendered[0] == weights.revision:
                return loaded.rendered[1]
            terrain, heights = loaded.terrain, loaded.heights
            weighed = terrain.weigh(weights.weights)
            if not weighed.is_original:
                built = await self._stages.build_terrain(
                    terrain.shapes(weighed), terrain.grid_size, terrain.height_scale
                )
                heights = built.heights
            body = await asyncio.to_thread(
                lambda: _to_json(terrain.view(weighed, weights.revision, heights))
            )
            loaded.rendered = (weights.revision, body)
            return body

    def adjust(
        self, dataset_id: str, body: bytes, if_match: str | None, layer_index: int | None = None
    ) -> bytes:
        """Return metrics, weights and revision after an adjustment, as JSON; blocks.

        Clusters of any layer may be named; the answer is of the layer that is asked for, by
        default the terrain layer.

        Raises
        ------
        DatasetNotFound, DatasetNotReady, DatasetFailed
            When there is no terrain to adjust.
        RequestRefused, WeightsRefused, LayerUnknown
            When the body is not an adjustment of this terrain, or there is no such layer.
        RevisionConflict
            When `if_match` does not name the current revision.
        """
        terrain = self._terrain_to_adjust(dataset_id, layer_index)
        changes = check_adjustments(parse_adjustments(body), terrain.layers.weighed_ids)
        weights: LayerWeights

        def change(stored: dict[int, float]) -> dict[int, float]:
            nonlocal weights
            weights = terrain.weigh(stored).changed(changes)
            return weights.to_stored()

        expected = self._expected_revision(dataset_id, if_match)
        adjusted = self._store.adjust(dataset_id, change, expected)
        shown = weights.of(terrain.layer)
        return _to_json(
            {
                "metrics": terrain.metrics(weights),
                "weights": {str(cluster): weight for cluster, weight in shown.items()},
                "revision": adjusted.revision,
            }
        )

    def touch(self, dataset: Dataset) -> None:
        """Note that a dataset was used; blocks."""
        # That it cannot be noted now is no reason to refuse what can be read.
        with suppress(StoreUnavailable):
            self._store.touch(dataset)

    def _terrain_to_adjust(self, dataset_id: str, layer_index: int | None) -> Terrain:
        # What is in memory is completed and stays so, unless it is deleted: then the store says so.
        loaded = self._memory.find(dataset_id)
        if loaded is not None:
            index = loaded.layers.find(layer_index).layer_index
            if index in loaded.terrains:
                return loaded.terrains[index].terrain
        dataset = require_completed(self._store.get(dataset_id))
        return self._load_layer(dataset, layer_index).terrain

    def _load_layer(self, dataset: Dataset, layer_index: int | None) -> LoadedTerrain:
        loaded = self._memory.get(
            dataset.dataset_id, lambda: LoadedDataset(layers_of_completed(self._artifacts, dataset))
        )
        layer = loaded.layers.find(layer_index)
        if layer.layer_index not in loaded.terrains:
            # Two threads may open the same layer; both then go on with the first one's.
            loaded.terrains.setdefault(layer.layer_index, self._open(dataset, loaded.layers, layer))
        return loaded.terrains[layer.layer_index]

    def _open(self, dataset: Dataset, layers: Layers, layer: LayerClusters) -> LoadedTerrain:
        terrain, heights = (
            dataset.artifacts[artifact_name(name, layer.layer_index, layer.is_terrain_layer)]
            for name in ("terrain", "heights")
        )
        stored = self._artifacts.load_json(dataset.dataset_id, terrain)
        return LoadedTerrain(
            Terrain.from_stored(stored, layers, layer.layer_index),
            self._artifacts.open_array(dataset.dataset_id, heights),
        )

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
