"""The terrain of a dataset at weight 1: its hills with all that is shown of them, and heights."""

import asyncio
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.artifacts import ArtifactStore
from gateway.dataset import Dataset
from gateway.pipeline_types import HillShape, Stages
from gateway.worker.naming import read_exemplars
from gateway.worker.transient import with_retries
from levelling.hills import Hills, place_hills

_COORDINATE_DIGITS = 4


async def describe_terrain(
    dataset: Dataset, artifacts: ArtifactStore, stages: Stages, patience_seconds: float
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """Return the terrain as JSON values, and its heights of shape [grid_size, grid_size]."""
    grid_size = dataset.parameters.grid_size
    hills = await asyncio.to_thread(_place, dataset, artifacts, grid_size)
    shapes = [
        HillShape(int(cluster_id), float(x), float(z), float(radius), float(height))
        for cluster_id, x, z, radius, height in zip(
            hills.cluster_ids, hills.x, hills.z, hills.radius, hills.height, strict=True
        )
    ]
    built = await with_retries(
        lambda: stages.build_terrain(shapes, grid_size, None), patience_seconds
    )
    described = await asyncio.to_thread(_describe, dataset, artifacts, shapes, built.colors)
    terrain = {
        "grid_size": grid_size,
        "height_scale": built.height_scale,
        "noise": {"count": dataset.counts.get("noise_count", 0)},
        "hills": described,
    }
    return terrain, built.heights


def _place(dataset: Dataset, artifacts: ArtifactStore, grid_size: int) -> Hills:
    files = dataset.artifacts
    clusters = artifacts.load_json(dataset.dataset_id, files["clusters"])
    return place_hills(
        artifacts.open_array(dataset.dataset_id, files["positions"]),
        artifacts.open_array(dataset.dataset_id, files["labels"]),
        [cluster["cluster_id"] for cluster in clusters],
        grid_size,
    )


def _describe(
    dataset: Dataset,
    artifacts: ArtifactStore,
    shapes: list[HillShape],
    colors: dict[int, str],
) -> list[dict[str, Any]]:
    files = dataset.artifacts
    clusters = artifacts.load_json(dataset.dataset_id, files["clusters"])
    names = artifacts.load_json(dataset.dataset_id, files["names"])
    rows = artifacts.path(dataset.dataset_id, files["rows"])
    exemplars = read_exemplars(rows, dataset.text_column, clusters)
    return [
        _hill(shape, cluster, name, texts, colors[shape.cluster_id])
        for shape, cluster, name, texts in zip(shapes, clusters, names, exemplars, strict=True)
    ]


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
