"""How much of each slot is near a row that was picked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from levelling.plans.picks import PickTask
from levelling.selection.choice import Rows
from levelling.selection.unit_rows import blocks_of, unit_rows

Graph = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]
"""The node of each row, the nearest neighbours of each node, and their cosine distances."""

EXACT_ROWS = 20_000
"""Up to so many rows, rows are compared with picked ones of all slots."""

_RANK = 5
_ROUNDING = 1e-6
_BLOCK_ROWS = 1024


def coverage_distance(distances: NDArray[np.float32]) -> float:
    """Return how near a picked row must be to stand for another.

    The median over distinct vectors of the distance to the fifth nearest other one: about as far
    as a row's neighbours are in this dataset. At it a random tenth of rows of even density covers
    less than half of them; a fixed number would be all or nothing with another model.

    Parameters
    ----------
    distances : ndarray of shape (n_nodes, k), float32
        From each node of the graph to its neighbours.

    Returns
    -------
    float
        A cosine distance, 0 to 2; of the last neighbour where there are fewer than five, 0 where
        there is none.
    """
    if not distances.size:
        return 0.0
    rank = min(_RANK, distances.shape[1]) - 1
    nearest = np.partition(np.asarray(distances, np.float32), rank, axis=1)[:, rank]
    return float(np.clip(np.median(nearest), 0, 2))


def find_coverage(
    vectors: NDArray[np.float32], graph: Graph, task: PickTask, rows: Rows, distance: float
) -> NDArray[np.float64]:
    """Return the share of each slot's rows within a distance of a picked row.

    What the graph knows is taken from it. Each other row is compared with the picked rows: those
    of all slots where up to 20,000 rows play a part, those of its own slot above that. There a
    share may be too low, by rows whose only picked row nearby is in another slot and not among
    their neighbours; it is never too high.

    Parameters
    ----------
    vectors : ndarray of shape (n_rows, n_dimensions), float32
        Of any length; read in blocks.
    graph : tuple of ndarray
        Of all rows: row_nodes, indices, distances.
    task : PickTask
    rows : ndarray of shape (n_picked,), int64
        Rows of slots; what is in none was never picked.
    distance : float
        A cosine distance, 0 to 2.

    Returns
    -------
    ndarray of shape (n_slots,), float64
        0 to 1; 1 for a slot without rows. Further rows never lower it.
    """
    covered = _near_in_graph(graph, rows, distance)
    plays = task.labels >= 0
    one_slot = np.where(plays, 0, -1) if np.count_nonzero(plays) <= EXACT_ROWS else task.labels
    _compare(vectors, one_slot, rows, distance, covered)
    sizes = np.bincount(task.labels[plays], minlength=task.slot_count)
    hits = np.bincount(task.labels[plays & covered], minlength=task.slot_count)
    shares: NDArray[np.float64] = np.where(sizes > 0, hits / np.maximum(sizes, 1), 1.0)
    return shares


def _near_in_graph(graph: Graph, rows: Rows, distance: float) -> NDArray[np.bool_]:
    """Return which rows are near a picked one as far as the graph knows, from either end."""
    row_nodes, indices, distances = graph
    picked = np.zeros(len(indices), bool)
    picked[row_nodes[rows]] = True
    near = distances <= distance
    covered = picked | (near & picked[indices]).any(axis=1)
    covered[indices[picked][near[picked]]] = True
    return covered[row_nodes]


def _compare(
    vectors: NDArray[np.float32],
    slots: NDArray[np.integer],
    rows: Rows,
    distance: float,
    covered: NDArray[np.bool_],
) -> None:
    """Mark the rows that are near a picked one of their slot, among those not marked yet."""
    left = np.flatnonzero(~covered & (slots >= 0))
    left, rows = left[np.argsort(slots[left], kind="stable")], rows[slots[rows] >= 0]
    rows = rows[np.argsort(slots[rows], kind="stable")]
    for slot in np.intersect1d(slots[left], slots[rows]).tolist():
        own = left[slice(*np.searchsorted(slots[left], [slot, slot + 1]))]
        picked = rows[slice(*np.searchsorted(slots[rows], [slot, slot + 1]))]
        covered[own] = _are_near(vectors, own, picked, 1 - distance - _ROUNDING)


def _are_near(
    vectors: NDArray[np.float32], rows: Rows, picked: Rows, least_cosine: float
) -> NDArray[np.bool_]:
    """Return which rows have a picked one within the distance, block by block."""
    near = np.zeros(rows.size, bool)
    for some in blocks_of(picked.size):
        ends = unit_rows(vectors, picked[some]).T
        for part in blocks_of(rows.size, _BLOCK_ROWS):
            cosines = unit_rows(vectors, rows[part]) @ ends
            near[part] |= cosines.max(axis=1) >= least_cosine
    return near
