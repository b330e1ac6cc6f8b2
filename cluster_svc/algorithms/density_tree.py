"""DBSCAN over all eps at once, from one spanning tree of the neighbour graph.

Two core points are in one DBSCAN cluster at eps when a path of edges no longer than eps joins them.
The minimum spanning tree of the mutual reachability distances ``max(core_i, core_j, d_ij)`` holds
such a path for every eps, so cutting its long edges gives the clusters of any eps in linear time.

Core and border points are exact where ``min_samples - 1`` is at most the graph's k; two core points
that are linked only past each other's k nearest neighbours may be told apart.

Source: R. Campello, D. Moulavi, J. Sander, "Density-based clustering based on hierarchical density
estimates", PAKDD 2013; J. Gower, G. Ross, "Minimum spanning trees and single linkage cluster
analysis", 1969.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from cluster_svc.compiled import kernel
from cluster_svc.density import core_distances
from cluster_svc.graph import NeighborGraph
from cluster_svc.vectors import FloatArray, IntArray


@dataclass(frozen=True)
class EpsSweep:
    """What DBSCAN gives at each of many eps; arrays of shape (eps,).

    Attributes
    ----------
    cluster_counts : int64
    noise_fractions, largest_fractions : float64
        Shares of all rows, 0 to 1: in no cluster, and in the largest one.
    """

    cluster_counts: NDArray[np.int64]
    noise_fractions: NDArray[np.float64]
    largest_fractions: NDArray[np.float64]


@dataclass(frozen=True)
class DensityTree:
    """The mutual-reachability spanning forest of a neighbour graph.

    Attributes
    ----------
    graph : NeighborGraph
    core : float32 array of shape (nodes,)
        The smallest eps at which each node is a core point.
    heads, tails : int32 arrays of shape (edges,)
        The ends of each edge.
    lengths : float32 array of shape (edges,)
        The mutual reachability distance of each edge.
    """

    graph: NeighborGraph
    core: FloatArray
    heads: IntArray
    tails: IntArray
    lengths: FloatArray

    @classmethod
    def grow(cls, graph: NeighborGraph, min_samples: int) -> Self:
        """Return the tree of a graph for one ``min_samples``."""
        core = core_distances(graph, min_samples)
        nodes, k = graph.indices.shape
        heads = np.repeat(np.arange(nodes, dtype=np.int32), k)
        tails = graph.indices.ravel()
        lengths = np.maximum(np.maximum(core[heads], core[tails]), graph.distances.ravel())
        # Ranks in place of lengths: SciPy takes a length of 0 for no edge, and ties get an order.
        ranks = np.empty(len(lengths))
        ranks[np.argsort(lengths, kind="stable")] = np.arange(1, len(lengths) + 1)
        tree = minimum_spanning_tree(
            coo_array((ranks, (heads, tails)), shape=(nodes, nodes)).tocsr()
        )
        tree = tree.tocoo()
        kept = np.sort(lengths, kind="stable")[tree.data.astype(np.int64) - 1]
        return cls(graph, core, tree.row.astype(np.int32), tree.col.astype(np.int32), kept)

    def sweep(self, eps: list[float]) -> EpsSweep:
        """Return what DBSCAN gives at each of many rising eps, in one pass over the tree.

        A border point counts for the cluster that it comes within eps of first.
        """
        graph, core = self.graph, self.core
        # From here on a node is in a cluster: at its own core distance, or beside a core point.
        beside = np.maximum(core[graph.indices], graph.distances)
        place = beside.argmin(axis=1) if graph.neighbor_count else np.zeros(len(core), np.int64)
        anchors = np.arange(graph.node_count, dtype=np.int32)
        joined = core.copy()
        if graph.neighbor_count:
            nearest = beside[anchors, place]
            is_border = nearest < core
            anchors[is_border] = graph.indices[anchors, place][is_border]
            joined = np.minimum(core, nearest)
        edges = np.argsort(self.lengths, kind="stable")
        counts, clustered, largest = _sweep(
            (self.heads[edges], self.tails[edges], self.lengths[edges]),
            (np.argsort(core, kind="stable"), core),
            (np.argsort(joined, kind="stable"), joined, anchors),
            graph.multiplicities,
            np.array(eps, np.float64),
        )
        rows = graph.row_count
        return EpsSweep(counts, 1 - clustered / rows, largest / rows)

    def cut(self, eps: float) -> IntArray:
        """Return DBSCAN's label of each node at eps; clusters by first core node, noise -1.

        A border point goes to the first cluster that has a core point within eps of it.
        """
        is_core = self.core <= eps
        short = self.lengths <= eps
        nodes = self.graph.node_count
        edges = coo_array(
            (np.ones(short.sum(), np.int8), (self.heads[short], self.tails[short])),
            shape=(nodes, nodes),
        )
        components = connected_components(edges, directed=False)[1]
        labels = number_by_first(components, is_core)
        self._join_borders(labels, is_core, eps)
        return labels

    def _join_borders(self, labels: IntArray, is_core: NDArray[np.bool_], eps: float) -> None:
        """Give nodes that are not core the first label among their core neighbours within eps."""
        border = np.flatnonzero(~is_core & (self._nearest_distances <= eps))
        neighbors = self.graph.indices[border]
        touching = is_core[neighbors] & (self.graph.distances[border] <= eps)
        none = np.iinfo(np.int32).max
        first = np.where(touching, labels[neighbors], none).min(axis=1, initial=none)
        labels[border] = np.where(first < none, first, -1)

    @cached_property
    def _nearest_distances(self) -> FloatArray:
        """The distance of each node to its nearest neighbour."""
        nearest: FloatArray = self.graph.distances.min(axis=1, initial=np.inf)
        return nearest


def number_by_first(components: IntArray, is_core: NDArray[np.bool_]) -> IntArray:
    """Return the components of core nodes numbered by their first core node, -1 for other nodes."""
    labels = np.full(len(components), -1, np.int32)
    _, first, inverse = np.unique(components[is_core], return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first))
    labels[is_core] = rank[inverse]
    return labels


_Edges = tuple[IntArray, IntArray, FloatArray]


@kernel
def _sweep(
    edges: _Edges,
    cores: tuple[NDArray[np.int64], FloatArray],
    joins: tuple[NDArray[np.int64], FloatArray, IntArray],
    row_counts: NDArray[np.int64],
    eps: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return clusters, clustered rows and rows of the largest cluster at each of rising eps.

    ``edges`` come by rising length. ``cores`` and ``joins`` are nodes by rising distance and the
    distance of each node; ``joins`` ends with the node whose cluster each node comes into.
    """
    heads, tails, lengths = edges
    core_order, core = cores
    join_order, joined, anchors = joins
    root = np.arange(len(core)).astype(np.int32)
    sizes = np.zeros(len(core), np.int64)
    counts = np.zeros(len(eps), np.int64)
    clustered = np.zeros(len(eps), np.int64)
    largest = np.zeros(len(eps), np.int64)
    edge, core_place, join_place = 0, 0, 0
    count, rows, most = 0, 0, 0
    for step in range(len(eps)):
        while core_place < len(core) and core[core_order[core_place]] <= eps[step]:
            core_place += 1
            count += 1
        while join_place < len(core) and joined[join_order[join_place]] <= eps[step]:
            node = join_order[join_place]
            top = _find_root(root, anchors[node])
            sizes[top] += row_counts[node]
            rows += row_counts[node]
            most = max(most, sizes[top])
            join_place += 1
        while edge < len(lengths) and lengths[edge] <= eps[step]:
            one, other = _find_root(root, heads[edge]), _find_root(root, tails[edge])
            root[other] = one
            sizes[one] += sizes[other]
            most = max(most, sizes[one])
            count -= 1
            edge += 1
        counts[step], clustered[step], largest[step] = count, rows, most
    return counts, clustered, largest


@kernel
def _find_root(root: IntArray, node: int) -> int:
    """Return the root of a node, halving the path to it."""
    while root[node] != node:
        root[node] = root[root[node]]
        node = root[node]
    return node
