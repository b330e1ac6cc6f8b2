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

from cluster_svc.compiled import ReportFraction
from cluster_svc.neighbors import NeighborSearch, is_exact, local_search, sample_recall
from cluster_svc.neighbors.forest import grow_tree
from cluster_svc.progress import part_of
from cluster_svc.vectors import (
    FloatArray,
    IntArray,
    RowArray,
    check_vectors,
    merge_identical_rows,
    normalize_rows,
)
from level_rpc.errors import FieldInvalid

DEFAULT_NEIGHBOR_COUNT = 15

# Many nodes are numbered by a tree, down to so few that are in no order, always from one seed.
_RANGE_SIZE = 100
_ORDER_SEED = (0, 0)

# Of the time that a graph takes, so much is over when vectors are merged, when they are scaled,
# and when they are in order; the search takes the rest.
_MERGED, _SCALED, _ORDERED = 0.01, 0.06, 0.15


@dataclass(frozen=True)
class NeighborGraph:
    """The nearest neighbours of every distinct vector.

    Attributes
    ----------
    node_of_row : int32 array of shape (rows,)
        The node of each row. The number of a node depends on all vectors but not on the order of
        the rows, so that rows in another order give the same ``indices`` and ``distances``. Where
        there are many, near ones mostly have near numbers.
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
    def first_rows(self) -> RowArray:
        """The first row of each node."""
        first_rows = np.empty(self.node_count, np.int64)
        # Of the rows of one node the one written last stays.
        first_rows[self.node_of_row[::-1]] = np.arange(self.row_count - 1, -1, -1)
        return first_rows

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
    thread_count: int = 1,
    search: NeighborSearch | None = None,
    report: ReportFraction = lambda fraction: None,
) -> NeighborGraph:
    """Return the k-nearest-neighbour graph of the rows by cosine distance.

    Exact up to 20,000 distinct vectors (more for over 100 neighbours), approximate above. The same
    for any number of threads, and for rows in any order but for ``node_of_row``.

    Parameters
    ----------
    vectors : float32 array of shape (rows, dimensions)
        Finite; of any length, zero included.
    neighbor_count : int
        Neighbours of each node, at least 1; fewer where there are fewer nodes.
    seed : int
        Seed of the approximate search; the exact one has no random choice.
    thread_count : int
        Threads to work on, at least 1.
    search
        Another engine that searches, whatever the number of vectors; this machine's processor by
        default.
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
    node_of_row, first_rows = merge_identical_rows(vectors, thread_count=thread_count)
    report(_MERGED)
    units = normalize_rows(
        vectors, first_rows, thread_count=thread_count, report=part_of(report, _MERGED, _SCALED)
    )
    k = min(neighbor_count, len(units) - 1)
    if not is_exact(len(units), k):
        order = grow_tree(
            units,
            _RANGE_SIZE,
            _ORDER_SEED,
            thread_count=thread_count,
            report=part_of(report, _SCALED, _ORDERED),
        ).order
        del units  # two copies of the vectors would be the peak of memory
        node_of_row = np.argsort(order).astype(np.int32)[node_of_row]
        units = normalize_rows(vectors, first_rows[order], thread_count=thread_count)
    if k == 0:
        return NeighborGraph(node_of_row, np.empty((1, 0), np.int32), np.empty((1, 0), np.float32))
    engine = search or local_search(seed=seed, thread_count=thread_count)
    indices, distances = engine(units, k, report=part_of(report, _ORDERED, 1.0))
    report(1.0)
    return NeighborGraph(node_of_row, indices, distances)


def measure_recall(
    graph: NeighborGraph,
    vectors: FloatArray,
    *,
    seed: int = 0,
    sample_size: int = 500,
    thread_count: int = 1,
) -> float:
    """Return the share of true nearest neighbours that the graph has, on a sample of its nodes.

    1.0 without measuring where the search was exact.
    """
    if is_exact(graph.node_count, graph.neighbor_count):
        return 1.0
    sample = np.random.default_rng(seed).choice(graph.node_count, sample_size, replace=False)
    return sample_recall(
        vectors, graph.first_rows, np.sort(sample), graph.distances[np.sort(sample)], thread_count
    )
