"""The fuzzy simplicial set of a neighbour graph: how strongly two nodes belong together.

Source: L. McInnes, J. Healy, J. Melville, "UMAP: Uniform Manifold Approximation and Projection for
Dimension Reduction", 2018, section 3.1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from cluster_svc.compiled import for_each_block, kernel
from cluster_svc.graph import NeighborGraph
from cluster_svc.vectors import FloatArray, IntArray

_ROWS_PER_BLOCK = 8192

# A bandwidth is at least this share of the mean distance, else one near neighbour takes all.
_SMALLEST_BANDWIDTH = 1e-3

# Newton's method needs about eight steps; more only where no bandwidth reaches the target.
_MOST_STEPS = 60
_TOLERANCE = 1e-9


def fuzzy_graph(graph: NeighborGraph, *, thread_count: int = 1) -> csr_array:
    """Return the symmetric fuzzy graph of the nodes.

    The weight of a directed edge is ``exp(-(d - rho) / sigma)``: 1 for the nearest neighbour at
    distance rho, with sigma such that the weights of a node sum to ``log2(k)``. Both directions
    are joined by the probabilistic sum ``a + b - a * b``.

    Returns
    -------
    csr_array of shape (nodes, nodes), float32, weights above 0 to 1, empty diagonal, sorted rows
    """
    nodes, k = graph.indices.shape
    if k == 0:
        return csr_array((nodes, nodes), dtype=np.float32)
    weights = membership_weights(graph.distances, thread_count=thread_count)
    starts, ends, joined = _join_directions(np.ascontiguousarray(graph.indices), weights)
    result = csr_array((joined, ends, starts), shape=(nodes, nodes))
    result.has_sorted_indices = True
    return result


def membership_weights(distances: FloatArray, *, thread_count: int = 1) -> FloatArray:
    """Return the weight of every directed edge, float32 of the shape of ``distances``, 0 to 1."""
    lengths = np.ascontiguousarray(distances, np.float32)
    weights = np.empty_like(lengths)
    mean = float(lengths.mean(dtype=np.float64))

    def weigh(start: int, stop: int) -> None:
        _weigh_rows(lengths, mean, weights, start, stop)

    for_each_block(weigh, len(lengths), _ROWS_PER_BLOCK, thread_count=thread_count)
    return weights


@kernel
def _weigh_rows(
    distances: FloatArray, mean: float, weights: FloatArray, start: int, stop: int
) -> None:
    """Write the weights of rows ``start`` to ``stop``."""
    k = distances.shape[1]
    target = np.log2(max(k, 2))
    beyond = np.empty(k, np.float64)
    for row in range(start, stop):
        rho, own_sum = np.inf, 0.0
        for rank in range(k):
            own_sum += distances[row, rank]
            if 0 < distances[row, rank] < rho:
                rho = distances[row, rank]
        floor = _SMALLEST_BANDWIDTH * (own_sum / k if rho < np.inf else mean)
        for rank in range(k):
            beyond[rank] = max(distances[row, rank] - rho, 0.0)
        # The sum of weights is convex and falls with the rate 1 / sigma: from rate 0, where it is
        # too large, Newton's steps rise to the root and never pass it.
        rate, highest = 0.0, 1 / max(floor, 1e-38)
        for _ in range(_MOST_STEPS):
            excess, slope = -target, 0.0
            for rank in range(k):
                weight = np.exp(-beyond[rank] * rate)
                excess += weight
                slope += beyond[rank] * weight
            if excess <= _TOLERANCE or rate >= highest or slope <= 0:
                break
            rate += excess / slope
        rate = min(rate, highest)
        for rank in range(k):
            weights[row, rank] = np.exp(-beyond[rank] * rate)


@kernel
def _join_directions(
    indices: IntArray, weights: FloatArray
) -> tuple[NDArray[np.int64], IntArray, FloatArray]:
    """Return ``a + b - a * b`` of the directed graph and its transpose as CSR, rows sorted."""
    nodes, k = indices.shape
    firsts = np.zeros(nodes + 1, np.int64)
    for row in range(nodes):
        for rank in range(k):
            firsts[indices[row, rank] + 1] += 1
    for row in range(nodes):
        firsts[row + 1] += firsts[row]
    sources = np.empty(nodes * k, np.int32)
    reverse = np.empty(nodes * k, np.float32)
    filled = firsts[:-1].copy()
    for row in range(nodes):
        for rank in range(k):
            position = filled[indices[row, rank]]
            sources[position], reverse[position] = row, weights[row, rank]
            filled[indices[row, rank]] += 1
    starts = np.zeros(nodes + 1, np.int64)
    ends = np.empty(2 * nodes * k, np.int32)
    joined = np.empty(2 * nodes * k, np.float32)
    order = np.empty(k, np.int32)
    used = 0
    for row in range(nodes):
        for rank in range(k):  # insertion sort: short rows, and a library's sort compiles slowly
            place = rank
            while place > 0 and indices[row, order[place - 1]] > indices[row, rank]:
                order[place] = order[place - 1]
                place -= 1
            order[place] = rank
        rank, position = 0, firsts[row]
        while rank < k or position < firsts[row + 1]:
            own = indices[row, order[rank]] if rank < k else nodes
            other = sources[position] if position < firsts[row + 1] else nodes
            there, back = np.float32(0), np.float32(0)
            if own <= other:
                there = weights[row, order[rank]]
                rank += 1
            if other <= own:
                back = reverse[position]
                position += 1
            weight = there + back - there * back
            if weight > 0:
                ends[used], joined[used] = min(own, other), weight
                used += 1
        starts[row + 1] = used
    return starts, ends[:used].copy(), joined[:used].copy()
