"""The field of forces in which nodes move: attraction along edges, repulsion from all nodes.

A field of a layout and those of its coarser graphs have the same shape: everything is for one unit
of mass, and a group of nodes has the mass of its nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from cluster_svc.communities.kernels import merge_nodes
from cluster_svc.compiled import for_each_block
from cluster_svc.layout.kernels import LongArray, damp_between, group_nodes, reorder_rows
from cluster_svc.vectors import FloatArray, IntArray

_ROWS_PER_BLOCK = 16_384

# Nodes of a group; more coarsen faster and lose more of the graph's shape.
_GROUP_SIZE = 4


@dataclass(frozen=True)
class Field:
    """The graph whose edges attract, and how strongly its nodes are pushed.

    Attributes
    ----------
    starts, ends, weights
        CSR, both directions of an edge stored, as `cluster_svc.layout.kernels` has it.
    rates : float32 array of shape (nodes,)
        How strongly each node is repelled: the sum of its weights for a unit of its mass, the
        weights within a group included.
    masses : float32 array of shape (nodes,)
        How many nodes of the finest graph each node stands for.
    """

    starts: LongArray
    ends: IntArray
    weights: FloatArray
    rates: FloatArray
    masses: FloatArray

    @property
    def node_count(self) -> int:
        """The number of nodes."""
        return len(self.rates)

    @cached_property
    def unit_weights(self) -> FloatArray:
        """The weights for a unit of the row's mass, float32 of shape (entries,)."""
        if (self.masses == 1).all():
            return self.weights
        masses: FloatArray = np.repeat(self.masses, np.diff(self.starts))
        result: FloatArray = np.divide(self.weights, masses, dtype=np.float32)
        return result


def field_of(
    weights: csr_array,
    labels: IntArray | None = None,
    share_between: float = 1.0,
    *,
    thread_count: int = 1,
) -> Field:
    """Return the field of a symmetric graph without weights below 0.

    Parameters
    ----------
    weights : csr_array of shape (nodes, nodes), float32
    labels : int32 array of shape (nodes,), optional
        Cluster of each node, -1 for none.
    share_between : float
        What is left of an edge between two clusters.
    """
    starts = weights.indptr.astype(np.int64)
    ends = weights.indices.astype(np.int32, copy=False)
    data = weights.data.astype(np.float32)
    if labels is not None:
        share = np.float32(share_between)

        def damp(start: int, stop: int) -> None:
            damp_between(starts, ends, data, labels, share, start, stop)

        for_each_block(damp, len(labels), _ROWS_PER_BLOCK, thread_count=thread_count)
    rates = _row_sums(starts, data)
    # A node without any edge is pushed like the others, else it would lie on top of them.
    rates[rates == 0] = rates[rates > 0].mean() if (rates > 0).any() else 1
    return Field(starts, ends, data, rates, np.ones(len(rates), np.float32))


def reordered(field: Field, order: IntArray, *, thread_count: int = 1) -> Field:
    """Return the field whose node i is node ``order[i]`` of this one."""
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order), dtype=order.dtype)
    starts = np.zeros_like(field.starts)
    np.cumsum(np.diff(field.starts)[order], out=starts[1:])
    ends, weights = np.empty_like(field.ends), np.empty_like(field.weights)

    def copy(start: int, stop: int) -> None:
        reorder_rows(
            field.starts,
            field.ends,
            field.weights,
            order,
            ranks,
            starts,
            ends,
            weights,
            start,
            stop,
        )

    for_each_block(copy, len(order), _ROWS_PER_BLOCK, thread_count=thread_count)
    return Field(starts, ends, weights, field.rates[order], field.masses[order])


def coarsened(field: Field, random: np.random.Generator) -> tuple[Field, IntArray]:
    """Return the field of small groups of near nodes, and the group of each node."""
    groups = np.empty(field.node_count, np.int32)
    queue = random.permutation(field.node_count).astype(np.int32)
    count = group_nodes(
        field.starts, field.ends, field.weights, field.masses, queue, _GROUP_SIZE, groups
    )
    starts, ends, weights = merge_nodes(field.starts, field.ends, field.weights, groups, count)
    masses = np.bincount(groups, field.masses, count)
    rates = np.bincount(groups, field.rates * field.masses, count) / masses
    coarse = Field(starts, ends, weights, rates.astype(np.float32), masses.astype(np.float32))
    return coarse, groups


def _row_sums(starts: LongArray, values: FloatArray) -> FloatArray:
    """Return the sum of each row, in float64 before it is rounded."""
    rows: NDArray[np.int64] = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    return np.bincount(rows, values, len(starts) - 1).astype(np.float32)
