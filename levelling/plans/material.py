"""What a plan is made of: the arrays of a dataset that has been clustered."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from levelling.errors import InvalidTarget
from levelling.groups import NOISE_ID


@dataclass(frozen=True, eq=False)
class Material:
    """The rows of a dataset, as arrays; what a request does not need may be left out.

    Parameters
    ----------
    labels : tuple of ndarray of shape (n_rows,), int32
        The cluster of each row in every layer, finest first, -1 for noise. Layers are nested, ids
        unique over all of them, and noise is the same rows in each.
    terrain_layer : int
        The layer that is levelled when a request names none.
    nearest : ndarray of shape (n_rows,), int32, optional
        The cluster of the finest layer that each row is nearest to, its own for rows that have
        one; -1 where there is none. To assign noise.
    centroid_distances : ndarray of shape (n_rows,), float32, optional
        Cosine distance, 0 to 2, of each row to the centroid of `nearest`; NaN where there is none.
        To assign noise within a distance; and to keep the most central of near-duplicates.
    near_dup_groups : ndarray of shape (n_rows,), int32, optional
        The groups of `NearDuplicates`, found with the distance of the request. To drop or discount
        near-duplicates, and to pick others before them.
    row_tokens : ndarray of shape (n_rows,), int64, optional
        The tokens of each row, at least 1. For a budget in tokens.
    row_lengths : ndarray of shape (n_rows,), int64, optional
        The characters of each row's text. To keep the longest of near-duplicates.

    Raises
    ------
    InvalidTarget
        If there is no layer or no row, the arrays differ in length, or a row has no tokens.
    """

    labels: tuple[NDArray[np.int32], ...]
    terrain_layer: int = 0
    nearest: NDArray[np.int32] | None = None
    centroid_distances: NDArray[np.float32] | None = None
    near_dup_groups: NDArray[np.int32] | None = None
    row_tokens: NDArray[np.int64] | None = None
    row_lengths: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        """Refuse arrays that are not of the same rows."""
        if not self.labels or not 0 <= self.terrain_layer < len(self.labels):
            raise InvalidTarget("there must be a layer of clusters to level", field="layer")
        for layer in self.labels:
            _check_shape(layer, self.labels[0].shape, "labels")
        for name in [field.name for field in fields(self)][2:]:
            if getattr(self, name) is not None:
                _check_shape(getattr(self, name), self.labels[0].shape, name)
        if not self.row_count:
            raise InvalidTarget("there are no rows to level", field="labels")
        if self.row_tokens is not None and self.row_tokens.min() < 1:
            raise InvalidTarget("every row must have at least one token", field="row_tokens")

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return self.labels[0].size

    def find_layer(self, asked: int | None) -> int:
        """Return the layer to level, the terrain's for None.

        Raises
        ------
        InvalidTarget
            If there is no such layer.
        """
        if asked is None:
            return self.terrain_layer
        if not 0 <= asked < len(self.labels):
            message = f"there is no layer {asked}; the layers are 0 to {len(self.labels) - 1}"
            raise InvalidTarget(message, field="layer")
        return asked

    def cluster_ids(self, layer: int) -> NDArray[np.int64]:
        """Return the clusters of a layer; int64 array of shape (n_clusters,), rising."""
        ids: NDArray[np.int64] = np.unique(self.labels[layer]).astype(np.int64)
        clusters: NDArray[np.int64] = ids[ids != NOISE_ID]
        return clusters

    def nearest_in(self, layer: int) -> NDArray[np.int32]:
        """Return the cluster of a layer that each row is nearest to, -1 where there is none.

        That is the one in which the nearest cluster of the finest layer lies.

        Raises
        ------
        InvalidTarget
            If it is not known which clusters rows are nearest to.
        """
        nearest = self.needed("nearest", "noise.kind")
        finest, first_rows = np.unique(self.labels[0], return_index=True)
        places = np.searchsorted(finest, nearest).clip(max=finest.size - 1)
        known = (finest[places] == nearest) & (nearest != NOISE_ID)
        parents = self.labels[layer][first_rows][places]
        return np.where(known, parents, np.int32(NOISE_ID)).astype(np.int32)

    def needed(self, name: str, asked_by: str) -> NDArray[Any]:
        """Return an array that may have been left out.

        Raises
        ------
        InvalidTarget
            If it was, naming the field of the request that needs it.
        """
        array: NDArray[Any] | None = getattr(self, name)
        if array is None:
            message = f"{asked_by} needs {name.replace('_', ' ')}, which this dataset has not"
            raise InvalidTarget(message, field=asked_by)
        return array


def _check_shape(array: NDArray[np.generic], shape: tuple[int, ...], name: str) -> None:
    if array.ndim != 1 or array.shape != shape:
        raise InvalidTarget(f"{name} must have one entry for each row", field=name)
