"""The terrain of each layer at weight 1: its hills with all that is shown of them, and heights."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.artifacts import ArtifactStore
from gateway.dataset import Dataset
from gateway.layer_files import artifact_name, read_layers
from gateway.pipeline_types import BuiltTerrain, HillShape, Stages
from gateway.worker.cluster_texts import read_exemplars
from gateway.worker.transient import with_retries
from levelling.hills import Hills, place_layers

LAYOUT = "layout"
_COORDINATE_DIGITS = 4


@dataclass(frozen=True, eq=False)
class LayerTerrain:
    """One layer as a terrain.

    Parameters
    ----------
    layer_index : int
    is_terrain_layer : bool
    described : dict
        As JSON values.
    heights : ndarray of shape (grid_size, grid_size), float32
    """

    layer_index: int
    is_terrain_layer: bool
    described: dict[str, Any]
    heights: NDArray[np.float32]


async def describe_terrains(
    dataset: Dataset, artifacts: ArtifactStore, stages: Stages, patience_seconds: float
) -> list[LayerTerrain]:
    """Return the terrain of every layer, finest first.

    All stand on one map, the terrain layer's, so that a hill lies where its parts lie.
    """
    layers = await asyncio.to_thread(read_layers, artifacts, dataset)
    shapes = await asyncio.to_thread(_place, dataset, artifacts, layers)
    grounds = [
        await with_retries(
            lambda hills=hills: stages.build_terrain(hills, dataset.parameters.grid_size, None),  # type: ignore[misc]
            patience_seconds,
        )
        for hills in shapes
    ]
    return await asyncio.to_thread(_describe, dataset, artifacts, layers, shapes, grounds)


def _place(
    dataset: Dataset, artifacts: ArtifactStore, layers: Sequence[dict[str, Any]]
) -> list[list[HillShape]]:
    def open_array(name: str) -> NDArray[Any]:
        return artifacts.open_array(dataset.dataset_id, dataset.artifacts[name])

    placed = place_layers(
        open_array("positions"),
        [open_array(_name("labels", layer)) for layer in layers],
        [[cluster["cluster_id"] for cluster in layer["clusters"]] for layer in layers],
        dataset.parameters.grid_size,
        frame=next(index for index, layer in enumerate(layers) if layer["is_terrain_layer"]),
    )
    return [_shapes(hills) for hills in placed]


def _shapes(hills: Hills) -> list[HillShape]:
    return [
        HillShape(int(cluster_id), float(x), float(z), float(radius), float(height))
        for cluster_id, x, z, radius, height in zip(
            hills.cluster_ids, hills.x, hills.z, hills.radius, hills.height, strict=True
        )
    ]


def _describe(
    dataset: Dataset,
    artifacts: ArtifactStore,
    layers: Sequence[dict[str, Any]],
    shapes: Sequence[Sequence[HillShape]],
    grounds: Sequence[BuiltTerrain],
) -> list[LayerTerrain]:
    files = dataset.artifacts
    names = artifacts.load_json(dataset.dataset_id, files["names"])
    name_of = {name["cluster_id"]: name for name in names}
    clusters = list(chain.from_iterable(layer["clusters"] for layer in layers))
    rows = artifacts.path(dataset.dataset_id, files["rows"])
    texts = iter(read_exemplars(rows, dataset.text_column, clusters))
    common = _common(dataset, artifacts)
    terrains = []
    for layer, hills, ground in zip(layers, shapes, grounds, strict=True):
        described = [
            _hill(
                shape,
                cluster,
                name_of[cluster["cluster_id"]],
                next(texts),
                ground.colors[shape.cluster_id],
            )
            for shape, cluster in zip(hills, layer["clusters"], strict=True)
        ]
        value = {**common, "height_scale": ground.height_scale, "hills": described}
        place = (layer["layer_index"], layer["is_terrain_layer"])
        terrains.append(LayerTerrain(*place, value, ground.heights))
    return terrains


def _common(dataset: Dataset, artifacts: ArtifactStore) -> dict[str, Any]:
    """Return what the terrains of all layers say alike."""
    files = dataset.artifacts
    common: dict[str, Any] = {
        "grid_size": dataset.parameters.grid_size,
        "noise": {
            "count": dataset.counts.get("noise_count", 0),
            **dataset.clustering.get("noise", {}),
        },
    }
    if LAYOUT in files:
        common["layout"] = artifacts.load_json(dataset.dataset_id, files[LAYOUT])
    return common


def _name(name: str, layer: dict[str, Any]) -> str:
    return artifact_name(name, layer["layer_index"], layer["is_terrain_layer"])


def _hill(
    shape: HillShape,
    cluster: dict[str, Any],
    name: dict[str, Any],
    texts: tuple[str, ...],
    color: str,
) -> dict[str, Any]:
    exemplars = zip(cluster["exemplar_row_ids"], texts, strict=True)
    return {
        "cluster_id": shape.cluster_id,
        "label": name["label"],
        "description": name["description"],
        "label_source": name["label_source"],
        "keywords": list(name["keywords"]),
        "parent_id": cluster["parent_id"],
        "x": round(shape.x, _COORDINATE_DIGITS),
        "z": round(shape.z, _COORDINATE_DIGITS),
        "radius": round(shape.radius, _COORDINATE_DIGITS),
        "original_height": round(shape.height, _COORDINATE_DIGITS),
        "size": cluster["size"],
        "spread": cluster["spread"],
        "stability": cluster["stability"],
        "color": color,
        "exemplars": [{"row_id": row_id, "text": text} for row_id, text in exemplars],
    }
