"""Figures of clusters: size, centroid, spread, nearest cluster and strength of each row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from cluster_svc.vectors import FloatArray, IntArray, normalize_rows, row_blocks

# The cosine distance of vectors that have nothing in common; stands in for a second cluster.
_UNRELATED = np.float32(1)


@dataclass(frozen=True)
class ClusterStats:
    """Figures of every cluster, by cluster_id.

    Attributes
    ----------
    sizes : int64 array of shape (clusters,)
        Rows of each cluster.
    centroids : float32 array of shape (clusters, dimensions)
        The direction of the mean of its rows' directions, of length 1; all 0 where they cancel
        out.
    spreads : float64 array of shape (clusters,)
        Mean cosine distance of its rows to the centroid, 0 to 2.
    """

    sizes: NDArray[np.int64]
    centroids: FloatArray
    spreads: NDArray[np.float64]


def calculate_cluster_stats(vectors: FloatArray, labels: IntArray) -> ClusterStats:
    """Return size, centroid and spread of every cluster.

    Parameters
    ----------
    vectors : float32 array of shape (rows, dimensions)
        Of any length.
    labels : int array of shape (rows,)
        Cluster ids without gaps from 0, -1 for noise.
    """
    return unit_cluster_stats(normalize_rows(vectors), labels)


def unit_cluster_stats(units: FloatArray, labels: IntArray) -> ClusterStats:
    """Return the same for vectors that have length 1 already."""
    rows = np.flatnonzero(labels >= 0)
    count = int(labels.max(initial=-1)) + 1
    sizes = np.bincount(labels[rows], minlength=count)
    members = csr_array(
        (np.ones(len(rows), np.float32), (labels[rows], rows)), shape=(count, len(labels))
    )
    centroids = _directions(members @ units)
    spreads = np.zeros(count)
    for block in row_blocks(len(rows), units.shape[1]):
        chosen = rows[block]
        gaps = 1 - np.einsum("ij,ij->i", units[chosen], centroids[labels[chosen]])
        spreads += np.bincount(labels[chosen], weights=gaps, minlength=count)
    return ClusterStats(sizes, centroids, np.clip(spreads / np.maximum(sizes, 1), 0, 2))


def _directions(sums: FloatArray) -> FloatArray:
    """Return the sums scaled to length 1; what is left of vectors that cancel out becomes 0."""
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return normalize_rows(np.where(lengths > 1e-4, sums, 0).astype(np.float32))


def measure_membership(
    units: FloatArray, labels: IntArray, centroids: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Return the nearest cluster of each row and how firmly the row belongs to it.

    The nearest cluster of a clustered row is its own; of a noise row, the one with the nearest
    centroid by cosine, ties by id. The strength is ``other / (own + other)``, where ``own`` is the
    cosine distance to the centroid of that cluster and ``other`` to the nearest other centroid, or
    1, that of unrelated vectors, when there is no other: 1 on the centroid, 0.5 half-way between
    two, below 0.5 when another centroid is nearer.

    Returns
    -------
    nearest : int32 array of shape (rows,)
        -1 when there is no cluster at all.
    strengths : float32 array of shape (rows,)
        0 to 1; 0 when there is no cluster at all.
    """
    nearest = labels.astype(np.int32)
    strengths = np.zeros(len(labels), np.float32)
    if len(centroids) == 0:
        return nearest, strengths
    for block in row_blocks(len(units), len(centroids)):
        gaps = np.clip(1 - units[block] @ centroids.T, 0, 2)
        nearest[block] = np.where(labels[block] >= 0, labels[block], gaps.argmin(axis=1))
        strengths[block] = _strengths(gaps, nearest[block])
    return nearest, strengths


def _strengths(gaps: FloatArray, nearest: IntArray) -> FloatArray:
    """Return ``other / (own + other)`` of each row; 0.5 where both are 0."""
    rows = np.arange(len(gaps))
    own = gaps[rows, nearest]
    gaps[rows, nearest] = np.inf
    other = np.where(gaps.shape[1] > 1, gaps.min(axis=1), _UNRELATED)
    total = own + other
    return np.where(total > 0, other / np.where(total > 0, total, 1), 0.5).astype(np.float32)
