"""What of a dataset a levelling is made from: the stored arrays that a request needs; blocks."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import DatasetTooOld
from gateway.layer_files import artifact_name
from gateway.layers import LayerClusters, Layers
from levelling.plans.material import Material
from levelling.plans.noise import centroid_distances
from levelling.request import BudgetUnit, DuplicateKind, KeepStrategy, LevelRequest
from levelling.tokens import estimate_tokens

OpenArray = Callable[[str], NDArray[Any] | None]
ReadTexts = Callable[[], Sequence[str]]


def make_material(
    open_array: OpenArray,
    layers: Layers,
    request: LevelRequest,
    near_dup_groups: NDArray[np.int32] | None,
    read_texts: ReadTexts,
) -> Material:
    """Return the arrays of a dataset that a request needs, and no others.

    Parameters
    ----------
    open_array : callable
        Returns a stored array by its name, None where there is none.
    layers : Layers
    request : LevelRequest
    near_dup_groups : ndarray of shape (n_rows,), int32, optional
        At the distance of the request.
    read_texts : callable
        Returns the text of every row.

    Raises
    ------
    DatasetTooOld
        When an earlier version did not store what the request needs.
    """
    finest = layers.finest
    counts_tokens = request.budget_unit is BudgetUnit.TOKENS and request.budget is not None
    longest = request.duplicates.keep is KeepStrategy.LONGEST
    labels = [name_in_layer("labels", layer) for layer in layers.layers]
    return Material(
        labels=tuple(_required(open_array, name) for name in labels),
        terrain_layer=layers.terrain.layer_index,
        nearest=open_array(name_in_layer("nearest", finest)),
        centroid_distances=_distances(open_array, finest) if _needs_distances(request) else None,
        near_dup_groups=near_dup_groups,
        row_tokens=estimate_tokens(read_texts()) if counts_tokens else None,
        row_lengths=_lengths(read_texts()) if longest and near_dup_groups is not None else None,
    )


def needs_groups(request: LevelRequest) -> bool:
    """Return whether near-duplicates count in what a request comes to."""
    return request.duplicates.kind is not DuplicateKind.KEEP


def _needs_distances(request: LevelRequest) -> bool:
    return request.noise.max_distance is not None


def _distances(open_array: OpenArray, finest: LayerClusters) -> NDArray[np.float32]:
    return centroid_distances(
        _required(open_array, "vectors"),
        _required(open_array, name_in_layer("centroids", finest)),
        finest.cluster_ids,
        _required(open_array, name_in_layer("nearest", finest)),
    )


def _lengths(texts: Sequence[str]) -> NDArray[np.int64]:
    return np.fromiter((len(text) for text in texts), dtype=np.int64, count=len(texts))


def _required(open_array: OpenArray, name: str) -> NDArray[Any]:
    array = open_array(name)
    if array is None:
        raise DatasetTooOld(f"storing its {name.partition('-')[0]}")
    return array


def name_in_layer(name: str, layer: LayerClusters) -> str:
    """Return the name of an artifact of one layer."""
    return artifact_name(name, layer.layer_index, layer.is_terrain_layer)
