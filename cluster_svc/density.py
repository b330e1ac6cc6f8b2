"""How densely rows lie, and which rows lie in sparse regions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cluster_svc.graph import NeighborGraph
from cluster_svc.vectors import FloatArray

# The neighbour whose distance says how dense it is around a row.
_DENSITY_NEIGHBOR = 5

# A sparse row lies at least this much sparser than its neighbours, however alike all others are.
_LEAST_RATIO = 1.1

# Stands in for a distance of 0, that of vectors of one direction but other lengths.
_SMALLEST_DISTANCE = 1e-6

# Scales the median absolute deviation to the standard deviation of a normal distribution.
_NORMAL_CONSISTENCY = 1.4826


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
    reach = graph.distances[:, min(_DENSITY_NEIGHBOR, graph.neighbor_count) - 1]
    reach = np.maximum(reach, _SMALLEST_DISTANCE)
    ratios = np.log(reach / np.median(reach[graph.indices], axis=1))
    usual = np.median(ratios)
    deviation = _NORMAL_CONSISTENCY * np.median(np.abs(ratios - usual))
    least = max(usual + noise_threshold * deviation, np.log(_LEAST_RATIO))
    sparse = (ratios > least) & (reach > np.median(reach))
    noise: NDArray[np.bool_] = sparse & (graph.multiplicities < _DENSITY_NEIGHBOR)
    return noise
