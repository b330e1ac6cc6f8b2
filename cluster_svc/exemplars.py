"""Exemplars: the rows that stand for a cluster, nearest to its centroid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cluster_svc.statistics import unit_cluster_stats
from cluster_svc.vectors import FloatArray, IntArray, merge_identical_rows, normalize_rows
from level_rpc.errors import FieldInvalid

DEFAULT_EXEMPLAR_COUNT = 5
MAX_EXEMPLAR_COUNT = 10


def sample_cluster(
    units: FloatArray,
    nodes: IntArray,
    rows: NDArray[np.int64],
    centroid: FloatArray,
    k: int = 5,
) -> NDArray[np.int64]:
    """Return the k rows of one cluster nearest to its centroid by cosine, nearest first.

    Equal distances go by row. A row whose vector was taken already is passed over while there are
    others.

    Parameters
    ----------
    units : float32 array of shape (all rows, dimensions)
        Of length 1 or 0.
    nodes : int32 array of shape (all rows,)
        Equal for rows with identical vectors.
    rows : int64 array of shape (cluster's rows,)
        Rising.
    centroid : float32 array of shape (dimensions,)
        Of length 1.
    k : int
        1 to 10.

    Returns
    -------
    int64 array of shape (min(k, cluster's rows),)
    """
    _check_count(k)
    order = rows[np.argsort(1 - units[rows] @ centroid, kind="stable")]
    is_repeat = np.ones(len(order), np.bool_)
    is_repeat[np.unique(nodes[order], return_index=True)[1]] = False
    return np.concatenate([order[~is_repeat], order[is_repeat]])[:k]


def sample_all_clusters(
    vectors: FloatArray, labels: IntArray, k: int = 5
) -> list[NDArray[np.int64]]:
    """Return the exemplar rows of every cluster, by cluster_id; see `sample_cluster`.

    Parameters
    ----------
    vectors : float32 array of shape (rows, dimensions)
        Of any length.
    labels : int array of shape (rows,)
        Cluster ids without gaps from 0, -1 for noise.
    k : int
        1 to 10.
    """
    units = normalize_rows(vectors)
    centroids = unit_cluster_stats(units, labels).centroids
    return sample_unit_clusters(units, merge_identical_rows(vectors)[0], labels, centroids, k)


def sample_unit_clusters(
    units: FloatArray, nodes: IntArray, labels: IntArray, centroids: FloatArray, k: int
) -> list[NDArray[np.int64]]:
    """Return the same, from what a clustering has at hand already."""
    _check_count(k)
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(len(centroids) + 1))
    return [
        sample_cluster(units, nodes, order[starts[cluster] : starts[cluster + 1]], centroid, k)
        for cluster, centroid in enumerate(centroids)
    ]


def _check_count(k: int) -> None:
    if not 1 <= k <= MAX_EXEMPLAR_COUNT:
        raise FieldInvalid(
            f"the number of exemplars must be 1 to {MAX_EXEMPLAR_COUNT}", field="exemplar_count"
        )
