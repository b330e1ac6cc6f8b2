"""Terrains of completed datasets: read at their current weights, and adjusted."""

import asyncio
import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.adjustments import (
    RevisionUnknown,
    check_adjustments,
    expected_revisions,
    parse_adjustments,
)
from gateway.artifacts import ArtifactStore
from gateway.dataset import Dataset, Status, WeightsRevision
from gateway.duplicate_counts import CountUnit, GroupCounts
from gateway.errors import DatasetFailed, DatasetNotReady, StoreUnavailable
from gateway.layer_files import NEAR_DUPLICATES, artifact_name, layers_of_completed
from gateway.layer_weights import LayerWeights
from gateway.layers import LayerClusters
from gateway.memory import DatasetMemory, LoadedDataset, LoadedTerrain
from gateway.pipeline_types import Stages
from gateway.plans import PlanFigures
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
        self,
        dataset: Dataset,
        weights: WeightsRevision,
        layer_index: int | None = None,
        unit: CountUnit = CountUnit.ROWS,
        plan: PlanFigures | None = None,
    ) -> bytes:
        """Return the terrain of a layer, by default the terrain layer, at these weights as JSON.

        Where they are those of a plan, its figures are told.

        Raises
        ------
        LayerUnknown
            When there is no such layer.
        DatasetTooOld
            When near-duplicates are to be counted as one and were not looked for.
        Unavailable
            When the ground must be built and the terrain service cannot answer.
        """
        loaded = await asyncio.to_thread(self._load_layer, dataset, layer_index, unit)
        version = version_of(weights, plan)
        async with loaded.rendering:
            if loaded.rendered is not None and loaded.rendered[0] == version:
                return loaded.rendered[1]
            original = await self._original_ground(loaded)
            terrain, heights = loaded.terrain, original
            weighed = terrain.weigh(weights.weights)
            if not weighed.is_original:
                built = await self._stages.build_terrain(
                    terrain.shapes(weighed), terrain.grid_size, terrain.height_scale
                )
                heights = built.heights
            body = await asyncio.to_thread(
                lambda: to_json(terrain.view(weighed, weights.revision, heights, plan))
            )
            loaded.rendered = (version, body)
            return body

    def adjust(
        self, dataset_id: str, body: bytes, if_match: str | None, layer_index: int | None = None
    ) -> dict[str, Any]:
        """Return metrics, weights and revision after an adjustment, as JSON values; blocks.

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

        expected = self.expected_revision(dataset_id, if_match)
        adjusted = self._store.adjust(dataset_id, change, expected)
        shown = weights.of(terrain.layer)
        return {
            "metrics": terrain.metrics(weights),
            "weights": {str(cluster): weight for cluster, weight in shown.items()},
            "revision": adjusted.revision,
        }

    def touch(self, dataset: Dataset) -> None:
        """Note that a dataset was used; blocks."""
        # That it cannot be noted now is no reason to refuse what can be read.
        with suppress(StoreUnavailable):
            self._store.touch(dataset)

    def completed(self, dataset_id: str) -> Dataset:
        """Return a dataset if it has a terrain; blocks.

        Raises
        ------
        DatasetNotFound, DatasetNotReady, DatasetFailed
            When it has none.
        """
        return require_completed(self._store.get(dataset_id))

    def load(self, dataset: Dataset, layer_index: int | None = None) -> Terrain:
        """Return a layer of a completed dataset as a terrain counted in rows; blocks."""
        return self._load_layer(dataset, layer_index, CountUnit.ROWS).terrain

    def _terrain_to_adjust(self, dataset_id: str, layer_index: int | None) -> Terrain:
        # What is in memory is completed and stays so, unless it is deleted: then the store says so.
        loaded = self._memory.find(dataset_id)
        if loaded is not None:
            key = (loaded.layers.find(layer_index).layer_index, CountUnit.ROWS)
            if key in loaded.terrains:
                return loaded.terrains[key].terrain
        return self.load(self.completed(dataset_id), layer_index)

    def _load_layer(
        self, dataset: Dataset, layer_index: int | None, unit: CountUnit
    ) -> LoadedTerrain:
        loaded = self._memory.get(dataset.dataset_id, lambda: self._open_dataset(dataset))
        layer = loaded.layers.find(layer_index)
        key = (layer.layer_index, unit)
        if key not in loaded.terrains:
            # Two threads may open the same layer; both then go on with the first one's.
            loaded.terrains.setdefault(key, self._open(dataset, loaded, layer, unit))
        return loaded.terrains[key]

    def _open_dataset(self, dataset: Dataset) -> LoadedDataset:
        layers = layers_of_completed(self._artifacts, dataset)
        if NEAR_DUPLICATES not in dataset.artifacts:
            return LoadedDataset(layers)
        finest = layers.finest
        labels = artifact_name("labels", finest.layer_index, finest.is_terrain_layer)
        groups, labels_of_rows = (
            self._artifacts.open_array(dataset.dataset_id, dataset.artifacts[name])
            for name in (NEAR_DUPLICATES, labels)
        )
        return LoadedDataset(layers, GroupCounts.from_rows(groups, labels_of_rows, finest))

    def _open(
        self, dataset: Dataset, loaded: LoadedDataset, layer: LayerClusters, unit: CountUnit
    ) -> LoadedTerrain:
        terrain, heights = (
            dataset.artifacts[artifact_name(name, layer.layer_index, layer.is_terrain_layer)]
            for name in ("terrain", "heights")
        )
        stored = self._artifacts.load_json(dataset.dataset_id, terrain)
        opened = Terrain.from_stored(stored, loaded.layers, layer.layer_index, loaded.group_counts)
        if unit is not CountUnit.ROWS:
            return LoadedTerrain(opened.counted_in(unit), None)
        return LoadedTerrain(opened, self._artifacts.open_array(dataset.dataset_id, heights))

    async def _original_ground(self, loaded: LoadedTerrain) -> NDArray[np.float32]:
        """Return the ground at weight 1; the first time it is built, its scale is kept too."""
        if loaded.heights is None:
            terrain = loaded.terrain
            shapes = terrain.shapes(terrain.weigh({}))
            built = await self._stages.build_terrain(shapes, terrain.grid_size, None)
            loaded.terrain = replace(terrain, height_scale=built.height_scale)
            loaded.heights = built.heights
        return loaded.heights

    def expected_revision(self, dataset_id: str, if_match: str | None) -> int | None:
        """Return the revision that an If-Match header asks for, None for any; blocks.

        Raises
        ------
        RevisionConflict
            When it names several and none is current.
        """
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


def version_of(weights: WeightsRevision, plan: PlanFigures | None) -> str:
    """Return what names a terrain's figures: its revision, and the plan that they are of."""
    return str(weights.revision) if plan is None else f"{weights.revision}-{plan.job_id}"


def to_json(value: Any) -> bytes:
    """Return a value as the shortest JSON."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
