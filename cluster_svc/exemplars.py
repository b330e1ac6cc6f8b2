"""Exemplars: the rows that stand for a cluster, central ones or ones that are spread over it.

No two of them are near-duplicates while there are others. Central ones are the nearest to the
centroid. Diverse ones are chosen greedily by facility location: each is the row that brings all
rows of the cluster nearest to an exemplar, which is within 1 - 1/e of the best choice there is
(G. Nemhauser, L. Wolsey, M. Fisher, "An analysis of approximations for maximizing submodular set
functions", Mathematical Programming 14, 1978). The farthest-first choice of k-centre takes
outliers: on clusters of real text its exemplars are no nearer to the mean row than central ones,
those of facility location by up to a quarter.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from cluster_svc.compiled import for_each_block
from cluster_svc.exemplar_kernels import take_facilities, take_in_order
from cluster_svc.graph import NeighborGraph
from cluster_svc.membership import Membership
from cluster_svc.neighbors.blas import one_blas_thread
from cluster_svc.statistics import ClusterStats, stats_of_sums, sum_clusters
from cluster_svc.vectors import (
    FloatArray,
    IntArray,
    merge_identical_rows,
    normalize_rows,
    row_blocks,
)
from level_rpc.errors import FieldInvalid

LongArray = NDArray[np.int64]

DEFAULT_EXEMPLAR_COUNT = 5
MAX_EXEMPLAR_COUNT = 10

# Texts nearer than this say the same in almost the same words, on sentences, titles and headlines;
# case and punctuation alone move a text by a hundredth.
NEAR_DUPLICATE_DISTANCE = 0.05

# Diverse exemplars of a larger cluster are chosen among so many of its rows; time is quadratic in
# them.
_POOL_SIZE = 512

_CLUSTERS_PER_BLOCK = 16


class ExemplarKind(StrEnum):
    """Which rows stand for a cluster."""

    CENTRAL = "central"
    DIVERSE = "diverse"


def sample_cluster(
    units: FloatArray,
    nodes: IntArray,
    rows: LongArray,
    centroid: FloatArray,
    k: int = 5,
    *,
    kind: ExemplarKind = ExemplarKind.CENTRAL,
) -> LongArray:
    """Return k rows that stand for one cluster, the one nearest to its centroid first.

    Near-duplicates of rows taken already are passed over while there are others, and identical
    vectors while there is any other at all. Equal distances go by row.

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
    kind : ExemplarKind
        Central ones come nearest first, diverse ones in the order in which they were chosen.

    Returns
    -------
    int64 array of shape (min(k, cluster's rows),)
    """
    labels = np.zeros(len(rows), np.int32)
    [places] = sample_unit_clusters(units[rows], nodes[rows], labels, centroid[None], k, kind=kind)
    return rows[places]


def sample_all_clusters(
    vectors: FloatArray,
    labels: IntArray,
    k: int = 5,
    *,
    kind: ExemplarKind = ExemplarKind.CENTRAL,
) -> list[LongArray]:
    """Return the exemplar rows of every cluster, by cluster_id; see `sample_cluster`.

    Parameters
    ----------
    vectors : float32 array of shape (rows, dimensions)
        Of any length.
    labels : int array of shape (rows,)
        Cluster ids without gaps from 0, -1 for noise.
    k : int
        1 to 10.
    kind : ExemplarKind
    """
    units = normalize_rows(vectors)
    nodes, _ = merge_identical_rows(vectors)
    # Summed in the order of the nodes, which is not that of the rows.
    order = np.argsort(nodes, kind="stable")
    ones = np.ones(len(order), np.int64)
    centroids = stats_of_sums(*sum_clusters(units[order], labels[order], ones)).centroids
    return sample_unit_clusters(units, nodes, labels, centroids, k, kind=kind)


def sample_unit_clusters(
    units: FloatArray,
    nodes: IntArray,
    labels: IntArray,
    centroids: FloatArray,
    k: int,
    *,
    kind: ExemplarKind = ExemplarKind.CENTRAL,
) -> list[LongArray]:
    """Return the same, from the directions of all rows, their nodes and the centroids."""
    pairs = labels.astype(np.int64) * (int(nodes.max(initial=0)) + 1) + nodes
    _, points, member_of_row, row_counts = np.unique(
        pairs, return_index=True, return_inverse=True, return_counts=True
    )
    gaps = _measure_gaps(units, points, labels, centroids)
    members = _Members(points, labels[points], gaps, points, row_counts, member_of_row)
    return _sample(units, members, len(centroids), k, kind)


def sample_layer(
    units: FloatArray,
    graph: NeighborGraph,
    labels: IntArray,
    stats: ClusterStats,
    membership: Membership,
    k: int = DEFAULT_EXEMPLAR_COUNT,
    kind: ExemplarKind = ExemplarKind.CENTRAL,
    *,
    thread_count: int = 1,
) -> list[LongArray]:
    """Return the exemplar rows of every cluster of a labelling of nodes; see `sample_cluster`.

    Parameters
    ----------
    units : float32 array of shape (nodes, dimensions)
        The directions of the nodes, of length 1 or 0.
    graph : NeighborGraph
        Which rows the nodes are.
    labels : int32 array of shape (nodes,)
        Cluster numbers without gaps from 0, -1 for noise.
    stats : ClusterStats
        The figures of the clusters.
    membership : Membership
        How far each node is from the centroid of its cluster.
    k : int
        1 to 10.
    kind : ExemplarKind
    thread_count : int
        At least 1; it does not change the result.
    """
    members = _Members(
        np.arange(graph.node_count),
        labels,
        membership.gaps,
        graph.first_rows,
        graph.multiplicities,
        graph.node_of_row,
    )
    return _sample(units, members, len(stats.sizes), k, kind, thread_count=thread_count)


@dataclass(frozen=True)
class _Members:
    """The distinct vectors of clusters: their places in ``units``, clusters, gaps and rows."""

    points: LongArray
    labels: IntArray
    gaps: FloatArray
    first_rows: LongArray
    row_counts: LongArray
    member_of_row: NDArray[np.integer]


def _sample(
    units: FloatArray,
    members: _Members,
    cluster_count: int,
    k: int,
    kind: ExemplarKind,
    *,
    thread_count: int = 1,
) -> list[LongArray]:
    if not 1 <= k <= MAX_EXEMPLAR_COUNT:
        raise FieldInvalid(
            f"the number of exemplars must be 1 to {MAX_EXEMPLAR_COUNT}", field="exemplar_count"
        )
    order = np.lexsort((members.first_rows, members.gaps, members.labels))
    starts = np.searchsorted(members.labels[order], np.arange(cluster_count + 1))
    points = members.points[order]
    weights = members.row_counts[order].astype(np.float32)
    places = np.full((cluster_count, k), -1, np.int64)

    def choose(start: int, stop: int) -> None:
        if kind is ExemplarKind.DIVERSE and k > 1:
            for cluster in range(start, stop):
                bounds = starts[cluster : cluster + 2]
                _choose_diverse(units, points, weights, bounds, places[cluster])
        take_in_order(units, points, starts, NEAR_DUPLICATE_DISTANCE, places, start, stop)

    with one_blas_thread():
        for_each_block(choose, cluster_count, _CLUSTERS_PER_BLOCK, thread_count=thread_count)
    chosen = [order[row[row >= 0]] for row in places]
    return _add_repeats(members, chosen, np.diff(starts), k)


def _choose_diverse(
    units: FloatArray, points: LongArray, weights: FloatArray, bounds: LongArray, places: LongArray
) -> None:
    """Write the places of the exemplars of one cluster, chosen among every n-th by distance."""
    start, stop = bounds.tolist()
    pool = np.linspace(start, stop - 1, min(stop - start, _POOL_SIZE)).astype(np.int64)
    directions = units[points[pool]]
    found = np.full(len(places), -1, np.int64)
    take_facilities(directions @ directions.T, weights[pool], NEAR_DUPLICATE_DISTANCE, found)
    places[found >= 0] = pool[found[found >= 0]]


def _add_repeats(
    members: _Members, chosen: list[LongArray], sizes: LongArray, k: int
) -> list[LongArray]:
    """Return the first rows of the members chosen; where they are too few, their other rows too."""
    rows = [members.first_rows[found] for found in chosen]
    short = [cluster for cluster in np.flatnonzero(sizes < k).tolist() if sizes[cluster]]
    repeated = [
        cluster for cluster in short if members.row_counts[chosen[cluster]].sum() > sizes[cluster]
    ]
    if not repeated:
        return rows
    by_member = np.argsort(members.member_of_row, kind="stable")
    ends = np.cumsum(members.row_counts)
    for cluster in repeated:
        others = [
            by_member[ends[member] - members.row_counts[member] + 1 : ends[member]][:k]
            for member in chosen[cluster].tolist()
        ]
        rows[cluster] = np.concatenate([rows[cluster], *others])[:k]
    return rows


def _measure_gaps(
    units: FloatArray, points: LongArray, labels: IntArray, centroids: FloatArray
) -> FloatArray:
    """Return the cosine distance of each point to the centroid of its cluster; 0 of noise."""
    gaps = np.zeros(len(points), np.float32)
    clustered = np.flatnonzero(labels[points] >= 0)
    for block in row_blocks(len(clustered), 2 * units.shape[1]):
        places = clustered[block]
        rows = points[places]
        gaps[places] = 1 - np.einsum("ij,ij->i", units[rows], centroids[labels[rows]])
    return gaps
