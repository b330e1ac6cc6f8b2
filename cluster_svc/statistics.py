"""Figures of clusters: size, centroid and spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from cluster_svc.vectors import FloatArray, IntArray, normalize_rows

SumArray = NDArray[np.float64]

# Rows that are summed in float32 before the sum goes on in float64.
_ROWS_PER_SUM = 8192

# Sums of directions no longer than this share of their number are what rounding left over.
_LEAST_LENGTH = 1e-6


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
        Mean cosine distance of its rows to the centroid, 0 to 1.
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
    counts = np.ones(len(labels), np.int64)
    return stats_of_sums(*sum_clusters(normalize_rows(vectors), labels, counts))


def sum_clusters(
    units: FloatArray, labels: IntArray, row_counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], SumArray]:
    """Return the rows of each cluster and the sum of their directions.

    Parameters
    ----------
    units : float32 array of shape (nodes, dimensions)
        Of length 1 or 0.
    labels : int array of shape (nodes,)
        Cluster numbers from 0, -1 for noise.
    row_counts : int64 array of shape (nodes,)
        The rows of each node.

    Returns
    -------
    sizes : int64 array of shape (clusters,)
    sums : float64 array of shape (clusters, dimensions)
    """
    count = int(labels.max(initial=-1)) + 1
    clustered = labels >= 0
    sizes = np.bincount(labels[clustered], weights=row_counts[clustered], minlength=count)
    sums = np.zeros((count, units.shape[1]))
    for start in range(0, len(units) if count else 0, _ROWS_PER_SUM):
        block = slice(start, start + _ROWS_PER_SUM)
        _add_block(sums, units[block], labels[block], row_counts[block])
    return sizes.astype(np.int64), sums


def _add_block(
    sums: SumArray, units: FloatArray, labels: IntArray, row_counts: NDArray[np.int64]
) -> None:
    """Add the directions of some nodes to the sums of their clusters."""
    present, places = np.unique(labels, return_inverse=True)
    indicator = csr_array(
        (row_counts.astype(np.float32), (places, np.arange(len(units)))),
        shape=(len(present), len(units)),
    )
    partial = indicator @ units
    inside = present >= 0
    sums[present[inside]] += partial[inside]


def merge_sums(
    sizes: NDArray[np.int64], sums: SumArray, parents: IntArray, count: int
) -> tuple[NDArray[np.int64], SumArray]:
    """Return sizes and sums of the clusters that those of a finer layer lie in.

    Parameters
    ----------
    sizes, sums
        See `sum_clusters`.
    parents : int array of shape (clusters,)
        For each of them its cluster in the coarser layer.
    count : int
        The clusters of the coarser layer.
    """
    merged_sizes = np.zeros(count, np.int64)
    merged_sums = np.zeros((count, sums.shape[1]))
    np.add.at(merged_sizes, parents, sizes)
    np.add.at(merged_sums, parents, sums)
    return merged_sizes, merged_sums


def stats_of_sums(sizes: NDArray[np.int64], sums: SumArray) -> ClusterStats:
    """Return the figures of clusters from their rows and the sums of their directions.

    A centroid has the direction of the sum; so the mean similarity of its rows is the length of the
    sum over their number.
    """
    shares = np.linalg.norm(sums, axis=1) / np.maximum(sizes, 1)
    is_direction = shares > _LEAST_LENGTH
    centroids = normalize_rows(np.where(is_direction[:, None], sums, 0).astype(np.float32))
    spreads = 1 - np.where(is_direction, shares, 0)
    return ClusterStats(sizes, centroids, np.clip(spreads, 0, 1))
