"""Rows in no cluster: how far they are from one, and which of them stay."""

from __future__ import annotations

from math import floor, inf

import numpy as np
from numpy.typing import NDArray

from levelling.groups import NOISE_ID
from levelling.plans.material import Material
from levelling.request import NoiseKind, NoisePolicy

_ROUNDING = 1e-9  # a product of shares and rows so little below a whole number is meant as it
_BLOCK_ROWS = 8192
_MOST_ROWS = 2.0**53


def centroid_distances(
    vectors: NDArray[np.float32],
    centroids: NDArray[np.float32],
    cluster_ids: NDArray[np.int64],
    nearest: NDArray[np.int32],
) -> NDArray[np.float32]:
    """Return how far each row is from the centroid of the cluster that it is nearest to.

    Parameters
    ----------
    vectors : ndarray of shape (n_rows, n_dimensions), float32
        Read in blocks, so it may be mapped from a file; of any length.
    centroids : ndarray of shape (n_clusters, n_dimensions), float32
        Of any length.
    cluster_ids : ndarray of shape (n_clusters,), int64
        The clusters that the centroids are of, rising.
    nearest : ndarray of shape (n_rows,), int32
        The nearest cluster of each row, its own for rows that have one; -1 for none.

    Returns
    -------
    ndarray of shape (n_rows,), float32
        Cosine distances, 0 to 2; 1 where a vector or centroid is all 0, NaN where `nearest` is not
        one of the clusters.
    """
    found = np.full(nearest.size, np.nan, np.float32)
    if not cluster_ids.size:
        return found
    units = _unit_rows(centroids)
    places = np.searchsorted(cluster_ids, nearest).clip(max=cluster_ids.size - 1)
    known = cluster_ids[places] == nearest
    for start in range(0, nearest.size, _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        cosines = np.einsum("ij,ij->i", _unit_rows(vectors[block]), units[places[block]])
        found[block] = np.where(known[block], 1.0 - cosines, np.nan)
    return np.clip(found, 0.0, 2.0)


def _unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    rows = np.asarray(vectors, np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units: NDArray[np.float64] = rows / np.where(lengths > 0, lengths, 1.0)
    return units


def apply_noise_policy(
    material: Material, policy: NoisePolicy, layer: int
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return the cluster of each row of a layer, and which rows are dropped; a cap drops none yet.

    Returns
    -------
    labels : ndarray of shape (n_rows,), int32
        -1 for rows that are in no cluster, dropped ones included.
    dropped : ndarray of shape (n_rows,), bool

    Raises
    ------
    InvalidTarget
        If noise is to be assigned, and it is not known where it is nearest to.
    """
    labels = material.labels[layer]
    is_noise = labels == NOISE_ID
    if policy.kind is NoiseKind.DROP:
        return labels, is_noise
    if policy.kind is NoiseKind.ASSIGN:
        joins = is_noise
        if policy.max_distance is not None:
            away = material.needed("centroid_distances", "noise.max_distance")
            joins = is_noise & (away <= policy.max_distance)
        labels = np.where(joins, material.nearest_in(layer), labels)
    return labels, np.zeros(labels.size, bool)


def noise_limit(share: float, clustered: float, budget: float | None = None) -> int:
    """Return how much noise may be kept beside so much else, so that it is at most a share of all.

    Parameters
    ----------
    share : float
        0 to 1; 1 is no limit.
    clustered : float
        The most that is kept of clusters.
    budget : float, optional
        How much is kept in all, where that is less.
    """
    room = inf if share == 1 else share / (1 - share) * clustered
    if budget is not None:
        room = min(room, share * budget)
    return floor(min(room, _MOST_ROWS) + _ROUNDING)
