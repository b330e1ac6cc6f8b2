"""What a layout is given for each row, as the nodes have it, and its result as the rows have it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster_svc.graph import NeighborGraph
from cluster_svc.layout.frame import fitted
from cluster_svc.vectors import FloatArray, IntArray
from level_rpc.errors import FieldInvalid

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Given:
    """What rows start with.

    Attributes
    ----------
    graph : NeighborGraph
    start : float32 array of shape (rows, 2), or None
    fixed : bool array of shape (rows,), or None
        None where no row is fixed.
    """

    graph: NeighborGraph
    start: FloatArray | None
    fixed: BoolArray | None

    def node_starts(self) -> FloatArray:
        """Return where each node starts: the mean of its rows, of its fixed ones if it has any."""
        assert self.start is not None
        nodes, counted = self.graph.node_of_row, np.ones(self.graph.row_count)
        if self.fixed is not None:
            counted[self.node_fixed()[nodes] & ~self.fixed] = 0
        counts = np.bincount(nodes, counted, self.graph.node_count)
        sums = [
            np.bincount(nodes, counted * self.start[:, axis], self.graph.node_count)
            for axis in (0, 1)
        ]
        return (np.column_stack(sums) / counts[:, None]).astype(np.float32)

    def node_fixed(self) -> BoolArray:
        """Return whether any row of each node is fixed."""
        result = np.zeros(self.graph.node_count, np.bool_)
        if self.fixed is not None:
            result[self.graph.node_of_row[self.fixed]] = True
        return result

    def result(self, positions: FloatArray, center: FloatArray, scale: float) -> FloatArray:
        """Return the rows' positions in the form that `lay_out` gives back.

        ``positions`` are those of the nodes, ``(start - center) * scale`` where they have not
        moved.
        """
        if self.fixed is None or self.start is None:
            return fitted(positions)[self.graph.node_of_row]
        back = (positions / scale + center).astype(np.float32)
        still = self.node_fixed()
        back[still] = self.node_starts()[still]
        rows: FloatArray = back[self.graph.node_of_row]
        rows[self.fixed] = self.start[self.fixed]
        return rows


def given_for(graph: NeighborGraph, start: FloatArray | None, fixed: BoolArray | None) -> Given:
    """Return what rows start with, checked.

    Raises
    ------
    FieldInvalid
        ``start`` or ``fixed`` is not of the rows of the graph, ``start`` is not finite, or rows are
        fixed without a start.
    """
    rows = graph.row_count
    if start is not None and (start.shape != (rows, 2) or not np.isfinite(start).all()):
        raise FieldInvalid(
            f"start positions must be finite and of shape [{rows}, 2]", field="start_positions"
        )
    if fixed is None:
        return Given(graph, start, None)
    if start is None or fixed.shape != (rows,):
        raise FieldInvalid(f"fixed rows must be of shape [{rows}] and have a start", field="fixed")
    return Given(graph, start, fixed.astype(np.bool_) if fixed.any() else None)


def node_labels(graph: NeighborGraph, labels: IntArray) -> IntArray:
    """Return the label of each node, the largest where its rows disagree.

    Raises
    ------
    FieldInvalid
        There is not one label for each row.
    """
    if labels.shape != (graph.row_count,):
        raise FieldInvalid(f"labels must be of shape [{graph.row_count}]", field="labels")
    result = np.full(graph.node_count, -1, np.int32)
    np.maximum.at(result, graph.node_of_row, labels.astype(np.int32))
    return result
