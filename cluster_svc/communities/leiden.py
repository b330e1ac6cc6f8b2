"""Communities of a weighted graph by the Leiden algorithm.

Source: V. A. Traag, L. Waltman, N. J. van Eck, "From Louvain to Leiden: guaranteeing well-connected
communities", Scientific Reports 9, 2019. The quality is modularity with a resolution (Reichardt and
Bornholdt 2006): ``sum(A_ij - resolution * W * m_i * m_j / M^2)`` over all pairs of nodes in one
community, divided by ``W``, with ``W`` the sum of the matrix ``A``, ``m`` the masses of the nodes
and ``M`` their sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from cluster_svc.communities.kernels import (
    DoubleArray,
    LongArray,
    merge_nodes,
    move_nodes,
    number_by_first,
    refine_communities,
    shuffle_nodes,
    sum_by_label,
)
from cluster_svc.vectors import FloatArray, IntArray

# Passes over the whole graph; a third gains less than another seed does.
_DEFAULT_PASS_COUNT = 2


@dataclass(frozen=True)
class _Graph:
    """A graph, or one level of its aggregation; the arrays are those of ``kernels``."""

    starts: LongArray
    ends: IntArray
    weights: FloatArray
    masses: DoubleArray
    scale: float

    def merge(self, parts: IntArray, count: int) -> _Graph:
        merged = merge_nodes(self.starts, self.ends, self.weights, parts, count)
        return _Graph(*merged, sum_by_label(self.masses, parts, count), self.scale)


def find_communities(
    weights: csr_array,
    *,
    resolution: float = 1.0,
    seed: int = 0,
    node_sizes: ArrayLike | None = None,
    groups: IntArray | None = None,
    pass_count: int = _DEFAULT_PASS_COUNT,
) -> IntArray:
    """Return the community of each node; every community is connected.

    Parameters
    ----------
    weights : csr_array of shape (nodes, nodes)
        Symmetric, no weight below 0; an entry on the diagonal is twice the weight within the node.
    resolution : float
        Above 0; higher gives more and smaller communities.
    seed : int
        Draws the order in which nodes are visited. Equal input and seed give equal labels.
    node_sizes : array of shape (nodes,), optional
        How much of all weight the null model expects at each node, on any scale; by default the sum
        of its weights, which makes the quality Newman's modularity.
    groups : int array of shape (nodes,), optional
        Nodes of different groups never share a community.
    pass_count : int
        At most so many passes over the whole graph, each beginning with the labels of the last.

    Returns
    -------
    int32 array of shape (nodes,), labels from 0 in order of their first node
    """
    graph = _prepare(weights, resolution, node_sizes, groups)
    labels = np.arange(len(graph.masses), dtype=np.int32)
    for number in range(pass_count):
        found = _improve(graph, labels, _mix(seed, number))
        if np.array_equal(found, labels):
            break
        labels = found
    return labels


def _prepare(
    weights: csr_array,
    resolution: float,
    node_sizes: ArrayLike | None,
    groups: IntArray | None,
) -> _Graph:
    strengths = np.asarray(weights.sum(axis=1, dtype=np.float64)).ravel()
    masses = strengths if node_sizes is None else np.array(node_sizes, np.float64)
    starts, ends, values = _keep_edges(weights, groups)
    total_mass = float(masses.sum())
    scale = resolution * float(strengths.sum()) / total_mass**2 if total_mass > 0 else 0.0
    return _Graph(starts, ends, values, masses, scale)


def _keep_edges(
    weights: csr_array, groups: IntArray | None
) -> tuple[LongArray, IntArray, FloatArray]:
    """Return the edges between two nodes of one group as CSR arrays."""
    starts = weights.indptr.astype(np.int64, copy=False)
    ends = weights.indices.astype(np.int32, copy=False)
    values = weights.data.astype(np.float32, copy=False)
    heads = np.repeat(np.arange(len(starts) - 1, dtype=np.int32), np.diff(starts))
    is_kept = (heads != ends) & (values > 0)
    if groups is not None:
        # Without an edge between them two nodes never meet; the null model stays that of all.
        is_kept &= groups[heads] == groups[ends]
    if is_kept.all():
        return starts, ends, values
    starts = np.concatenate([[0], np.cumsum(is_kept)])[starts]
    return starts, ends[is_kept], values[is_kept]


def _improve(graph: _Graph, labels: IntArray, seed: int) -> IntArray:
    """Return better labels: nodes are moved, held-together parts merged, until all are alone."""
    labels = labels.copy()
    node_of = np.arange(len(labels), dtype=np.int32)
    while True:
        order = shuffle_nodes(len(labels), seed)
        arrays = (graph.starts, graph.ends, graph.weights, graph.masses, labels)
        move_nodes(*arrays, order.copy(), graph.scale)
        if number_by_first(labels) == len(labels):
            break
        parts = refine_communities(*arrays, order, graph.scale)
        count = number_by_first(parts)
        if count == len(labels):
            # Gains that vanish in rounding keep communities together that no merge can make.
            break
        graph = graph.merge(parts, count)
        merged = np.empty(count, np.int32)
        merged[parts] = labels
        node_of, labels = parts[node_of], merged
    labels = labels[node_of]
    number_by_first(labels)
    return labels


def _mix(seed: int, number: int) -> int:
    """Return another seed below 2^63 for each number."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0] >> 1)
