"""The k-nearest-neighbour graph that clustering, noise, automatic eps and layout share.

Rows with identical vectors are one node, so that copies cannot fill each other's neighbour lists.
Distances are cosine distances, ``1 - cos``, from 0 to 2; a zero vector has no direction and lies at
distance 1 from everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cluster_svc.neighbors import ReportFraction, approximate_neighbors, exact_neighbors
from cluster_svc.vectors import (
    FloatArray,
    IntArray,
    check_vectors,
    merge_identical_rows,
    normalize_rows,
)
from level_rpc.errors import FieldInvalid

DEFAULT_NEIGHBOR_COUNT = 15

# Exact search costs n^2, NN-descent about n, plus half a minute of compiling; they meet near here.
EXACT_NODE_LIMIT = 30_000


@dataclass(frozen=True)
class NeighborGraph:
    """The nearest neighbours of every distinct vector.

    Attributes
    ----------
    node_of_row : int32 array of shape (rows,)
        The node of each row; nodes are numbered by their first row.
    indices : int32 array of shape (nodes, k)
        Neighbours of each node, nearest first, equal distances by index, never the node itself.
        ``k`` is what was asked for, or ``nodes - 1`` where that is less; no entry is padding.
    distances : float32 array of shape (nodes, k)
        Their cosine distances, 0 to 2.
    """

    node_of_row: IntArray
    indices: IntArray
    distances: FloatArray

    @property
    def row_count(self) -> int:
        """The number of rows."""
        return len(self.node_of_row)

    @property
    def node_count(self) -> int:
        """The number of distinct vectors."""
        return len(self.indices)

    @property
    def neighbor_count(self) -> int:
        """The number of neighbours of each node."""
        return int(self.indices.shape[1])

    @cached_property
    def multiplicities(self) -> NDArray[np.int64]:
        """The number of rows of each node."""
        return np.bincount(self.node_of_row, minlength=self.node_count)

    @cached_property
    def first_rows(self) -> NDArray[np.int64]:
        """The first row of each node."""
        return np.unique(self.node_of_row, return_index=True)[1]

    def check(self) -> None:
        """Raise FieldInvalid unless the arrays fit together and every index is in range."""
        if self.distances.shape != self.indices.shape:
            raise FieldInvalid("indices and distances of a graph differ in shape", field="graph")
        nodes = self.node_count
        known = np.unique(self.node_of_row)
        if len(known) != nodes or known[0] != 0 or known[-1] != nodes - 1:
            raise FieldInvalid("row_nodes must use every node from 0 on", field="graph.row_nodes")
        if self.indices.size and not 0 <= self.indices.min() <= self.indices.max() < nodes:
            raise FieldInvalid("a neighbour is not a node of the graph", field="graph.indices")
        if (self.indices == np.arange(nodes)[:, None]).any():
            raise FieldInvalid("a node is its own neighbour", field="graph.indices")


def build_graph(
    vectors: FloatArray,
    neighbor_count: int = DEFAULT_NEIGHBOR_COUNT,
    *,
    seed: int = 0,
    report: ReportFraction = lambda fraction: None,
) -> NeighborGraph:
    """Return the k-nearest-neighbour graph of the rows by cosine distance.

    Exact up to 30,000 distinct vectors, by NN-descent above.

    Parameters
    ----------
    vectors : float32 array of shape (rows, dimensions)
        Finite; of any length, zero included.
    neighbor_count : int
        Neighbours of each node, at least 1; fewer where there are fewer nodes.
    seed : int
        Seed of NN-descent; exact search has no random choice.
    report
        Called with the fraction done, 0 to 1.

    Raises
    ------
    TooFewRows
        Without any row.
    FieldInvalid
        When a vector holds NaN or an infinity.
    """
    check_vectors(vectors)
    node_of_row, first_rows = merge_identical_rows(vectors)
    units = normalize_rows(vectors[first_rows])
    k = min(neighbor_count, len(units) - 1)
    if len(units) <= EXACT_NODE_LIMIT:
        indices, distances = exact_neighbors(units, k, report)
    else:
        indices, distances = approximate_neighbors(units, k, seed)
    report(1.0)
    return NeighborGraph(node_of_row, indices, distances)


def measure_recall(
    graph: NeighborGraph, vectors: FloatArray, *, seed: int = 0, sample_size: int = 500
) -> float:
    """Return the share of true nearest neighbours that the graph has, on a sample of its nodes.

    1.0 without measuring where the search was exact.
    """
    if graph.node_count <= EXACT_NODE_LIMIT:
        return 1.0
    units = normalize_rows(vectors[graph.first_rows])
    sample = np.random.default_rng(seed).choice(graph.node_count, sample_size, replace=False)
    similarities = units[sample] @ units.T
    similarities[np.arange(sample_size), sample] = -np.inf
    # Counted by distance, so that another of several equally near neighbours is no miss.
    reach = np.partition(similarities, -graph.neighbor_count, axis=1)[:, -graph.neighbor_count]
    return float((1 - graph.distances[sample] >= reach[:, None] - 1e-6).mean())
