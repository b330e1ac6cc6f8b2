"""Landmarks: the rows of a clustering that are kept to find the clusters of new rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster_svc.compiled import ReportFraction
from cluster_svc.density import density_distances, density_reaches
from cluster_svc.graph import NeighborGraph
from cluster_svc.neighbors import exact_neighbors
from cluster_svc.vectors import FloatArray, IntArray

LongArray = NDArray[np.int64]

# All distinct vectors up to here; assigning a row takes time in proportion to them.
LANDMARK_LIMIT = 20_000

# Neighbours that say where a row belongs and how dense it is there.
LANDMARK_NEIGHBOR_COUNT = 15

# No cosine distance is larger: with this reach nothing is noise.
FARTHEST = np.float32(2)

# Limits that are tried for each of the two distances that tell noise from clusters.
_LIMIT_COUNT = 100


@dataclass(frozen=True)
class Landmarks:
    """Which rows stand for all, and how dense it is around them.

    Attributes
    ----------
    row_ids : int64 array of shape (landmarks,)
        Rising; of every distinct vector that was chosen the first row.
    reaches : float32 array of shape (landmarks,)
        The cosine distance within which a new row near this landmark is as dense as the clusters
        are, 0 to 2: the new row is noise when its 5th nearest landmark is farther than the median
        reach of its nearest landmarks.
    """

    row_ids: LongArray
    reaches: FloatArray


def choose_landmarks(
    units: FloatArray,
    graph: NeighborGraph,
    labels: IntArray,
    finest: IntArray | None = None,
    *,
    noise_threshold: float | None = None,
    limit: int = LANDMARK_LIMIT,
    seed: int = 0,
    thread_count: int = 1,
    report: ReportFraction = lambda fraction: None,
) -> Landmarks:
    """Return the landmarks of a clustering; the order of the rows changes nothing but row ids.

    All distinct vectors where they are few. Else about ``limit``, drawn in proportion from every
    cluster of the finest layer and from noise, one at least, with more of those clusters of the
    given layer that would have fewer than a row has neighbours.

    Where noise was marked by sparseness, ``noise_threshold`` is that of `find_sparse_nodes`, and
    new rows are judged by the same rule, among the landmarks. Else the rule is learned from the
    labels: the two limits, on the distance to the 5th nearest node and on how many times that is
    the median of the neighbours' distances, beyond which the fewest rows are on the wrong side.
    A sample knows less of density than all rows do: with every third row a landmark, about as many
    new rows are noise as should be, but only a third to a half of them are the same.

    Parameters
    ----------
    units : float32 array of shape (nodes, dimensions)
        The directions of the nodes, of length 1 or 0.
    graph : NeighborGraph
        Their neighbours.
    labels : int32 array of shape (nodes,)
        Any numbers from 0, -1 for noise.
    finest : int32 array of shape (nodes,), optional
        The same of the finest layer.
    noise_threshold : float, optional
        Not given where the algorithm has rules of its own for what is noise.
    limit : int
        At least 1.
    seed : int
        Of the drawing.
    thread_count : int
        At least 1; it does not change the result.
    report
        Called with the fraction done, 0 to 1.
    """
    nodes = _draw_nodes(labels, labels if finest is None else finest, limit, seed)
    known = graph
    if len(nodes) < graph.node_count:
        known = _graph_of(units[nodes], thread_count, report)
    reaches = _find_reaches(known, labels[nodes], noise_threshold)
    rows = graph.first_rows[nodes]
    order = np.argsort(rows)
    report(1.0)
    return Landmarks(rows[order], reaches[order])


def _draw_nodes(labels: IntArray, finest: IntArray, limit: int, seed: int) -> LongArray:
    """Return nodes of every cluster, rising; a node's chance does not depend on cluster numbers."""
    count = len(labels)
    if count <= limit:
        return np.arange(count)
    ranks = np.random.default_rng(seed).permutation(count)
    share = limit / count
    coarse_ranks, coarse_sizes = _rank_within(labels, ranks)
    fine_ranks, fine_sizes = _rank_within(finest, ranks)
    is_drawn = fine_ranks < np.ceil(share * fine_sizes)
    few = np.minimum(coarse_sizes, LANDMARK_NEIGHBOR_COUNT)
    is_drawn |= (coarse_ranks < few) & (share * coarse_sizes < few)
    return np.flatnonzero(is_drawn)


def _rank_within(labels: IntArray, ranks: LongArray) -> tuple[LongArray, LongArray]:
    """Return the place of each node within its cluster by rank, and the cluster's nodes."""
    order = np.lexsort((ranks, labels))
    _, inverse, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    firsts = np.cumsum(sizes) - sizes
    places = np.empty(len(labels), np.int64)
    places[order] = np.arange(len(labels)) - firsts[inverse[order]]
    return places, sizes[inverse]


def _graph_of(units: FloatArray, thread_count: int, report: ReportFraction) -> NeighborGraph:
    k = min(LANDMARK_NEIGHBOR_COUNT, len(units) - 1)
    indices, distances = exact_neighbors(units, k, thread_count=thread_count, report=report)
    return NeighborGraph(np.arange(len(units), dtype=np.int32), indices, distances)


def _find_reaches(
    graph: NeighborGraph, labels: IntArray, noise_threshold: float | None
) -> FloatArray:
    if graph.neighbor_count == 0:
        return np.full(graph.node_count, FARTHEST)
    if noise_threshold is not None:
        return np.minimum(density_reaches(graph, noise_threshold), FARTHEST)
    return _learn_reaches(graph, labels < 0)


def _learn_reaches(graph: NeighborGraph, is_noise: NDArray[np.bool_]) -> FloatArray:
    """Return reaches that put the fewest nodes on the wrong side."""
    own = density_distances(graph)
    ratios = (own / np.median(own[graph.indices], axis=1)).astype(np.float32)
    if is_noise.all():
        return np.zeros(graph.node_count, np.float32)
    distance, ratio = _best_limits(own, ratios, is_noise)
    reaches: FloatArray = np.minimum(np.maximum(distance, ratio * own), FARTHEST)
    return reaches.astype(np.float32)


def _best_limits(
    own: FloatArray, ratios: FloatArray, is_noise: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return the pair of limits whose excess, of both, tells noise from clusters best.

    Of pairs with equally many errors the one that marks least as noise.
    """
    own_limits, ratio_limits = _limits(own, is_noise), _limits(ratios, is_noise)
    # How many of the limits each node exceeds; it is marked by pairs of these.
    places = (np.searchsorted(own_limits, own), np.searchsorted(ratio_limits, ratios))
    gains = np.zeros((len(own_limits) + 1, len(ratio_limits) + 1))
    np.add.at(gains, places, np.where(is_noise, 1, -1))
    # Of each pair of limits: the noise less the clustered nodes that exceed both.
    exceeding = gains[::-1, ::-1].cumsum(axis=0).cumsum(axis=1)[::-1, ::-1][1:, 1:]
    best = np.flatnonzero(exceeding.ravel() == exceeding.max())[-1]
    row, column = np.unravel_index(best, exceeding.shape)
    return float(own_limits[row]), float(ratio_limits[column])


def _limits(values: FloatArray, is_noise: NDArray[np.bool_]) -> FloatArray:
    """Return rising limits to try: none, some between noise and clusters, one beyond all clusters.

    A limit is the largest value of a clustered node below some value of noise.
    """
    clustered = np.sort(values[~is_noise])
    noise = np.sort(values[is_noise])
    tried = noise[np.linspace(0, len(noise) - 1, min(len(noise), _LIMIT_COUNT)).astype(np.int64)]
    places = np.searchsorted(clustered, tried) - 1
    between = clustered[places[places >= 0]]
    return np.unique(np.concatenate([[np.float32(0)], between, clustered[-1:]]))
