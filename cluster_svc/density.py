"""How densely rows lie, and which rows lie in sparse regions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster_svc.graph import NeighborGraph
from cluster_svc.vectors import FloatArray

# The neighbour whose distance says how dense it is around a row.
DENSITY_NEIGHBOR = 5

# A sparse row lies at least this much sparser than its neighbours, however alike all others are.
_LEAST_RATIO = 1.1

# Stands in for a distance of 0, that of vectors of one direction but other lengths.
_SMALLEST_DISTANCE = np.float32(1e-6)

# The logarithm of the largest distance over the smallest.
_MOST_LOG_RATIO = float(np.log(2 / _SMALLEST_DISTANCE))

# Scales the median absolute deviation to the standard deviation of a normal distribution.
_NORMAL_CONSISTENCY = 1.4826


@dataclass(frozen=True)
class Noise:
    """Why rows are in no cluster.

    Attributes
    ----------
    sparse_count : int
        Rows in sparse regions.
    small_cluster_count : int
        Rows of clusters that are smaller than the smallest allowed and tied to no other.
    reason : str
        One sentence for people: which rows are noise and why.
    """

    sparse_count: int
    small_cluster_count: int
    reason: str


def core_distances(graph: NeighborGraph, min_samples: int) -> FloatArray:
    """Return the smallest eps at which each node is a core point of DBSCAN.

    A node is one when ``min_samples`` rows, its own among them, lie within eps; infinity where the
    graph does not reach that many rows.

    Returns
    -------
    float32 array of shape (nodes,)
    """
    multiplicities = graph.multiplicities
    nearest_rows = np.cumsum(multiplicities[graph.indices], axis=1) + multiplicities[:, None]
    places = np.count_nonzero(nearest_rows < min_samples, axis=1)
    core = np.full(graph.node_count, np.inf, np.float32)
    found = np.flatnonzero(places < graph.neighbor_count)
    core[found] = graph.distances[found, places[found]]
    core[multiplicities >= min_samples] = 0
    return core


def find_sparse_nodes(graph: NeighborGraph, noise_threshold: float) -> NDArray[np.bool_]:
    """Return which nodes lie in sparse regions.

    Let d be the distance of a node to its 5th nearest other node, and r the logarithm of d over the
    median d of its neighbours: how much sparser it is where the node lies than next to it. A node
    is sparse when r is more than ``noise_threshold`` robust standard deviations (1.4826 times the
    median absolute deviation) above the median r, d is above the median d, and it lies at least
    1.1 times sparser than its neighbours. A node of 5 rows or more is never sparse.

    Measured against its neighbours, a loose cluster beside a tight one is no noise; and where all
    lie equally dense, nothing is. The idea is that of the local outlier factor: M. Breunig,
    H.-P. Kriegel, R. Ng, J. Sander, "LOF: identifying density-based local outliers", SIGMOD 2000.

    Parameters
    ----------
    noise_threshold : float
        In robust standard deviations, 0 or more; 2.5 marks 1 to 3 % of real text.

    Returns
    -------
    bool array of shape (nodes,)
    """
    if graph.neighbor_count == 0:
        return np.zeros(graph.node_count, np.bool_)
    reaches = density_reaches(graph, noise_threshold)
    limits = np.median(reaches[graph.indices], axis=1)
    sparse = density_distances(graph) > limits
    noise: NDArray[np.bool_] = sparse & (graph.multiplicities < DENSITY_NEIGHBOR)
    return noise


def density_distances(graph: NeighborGraph) -> FloatArray:
    """Return the distance of each node to its 5th nearest other node; float32 of shape (nodes,).

    To the farthest one where there are fewer; a millionth at least. The graph must have an edge.
    """
    place = min(DENSITY_NEIGHBOR, graph.neighbor_count) - 1
    return np.maximum(graph.distances[:, place], _SMALLEST_DISTANCE)


def density_reaches(graph: NeighborGraph, noise_threshold: float) -> FloatArray:
    """Return how far a node near each node may be from its 5th nearest and not be sparse.

    A node is sparse by `find_sparse_nodes` when it is farther than the median reach of its
    neighbours. The graph must have an edge.

    Returns
    -------
    float32 array of shape (nodes,)
    """
    own = density_distances(graph)
    ratios = np.log(own / np.median(own[graph.indices], axis=1))
    usual = np.median(ratios)
    deviation = _NORMAL_CONSISTENCY * np.median(np.abs(ratios - usual))
    least = min(max(usual + noise_threshold * deviation, np.log(_LEAST_RATIO)), _MOST_LOG_RATIO)
    reaches: FloatArray = np.maximum(np.exp(least) * own, np.median(own)).astype(np.float32)
    return reaches
