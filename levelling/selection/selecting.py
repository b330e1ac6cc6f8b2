"""Picks the rows that a task asks for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from level_rpc.errors import FieldInvalid
from levelling.plans.picks import PickTask, Selection
from levelling.request import SamplingStrategy
from levelling.selection.choice import Choice, Report, Rows
from levelling.selection.coverage import Graph, coverage_distance, find_coverage
from levelling.selection.diverse import pick_diverse
from levelling.selection.plain import pick_central, pick_random

_PICKED = 0.9  # the share of progress when the rows are known and coverage is not


def select_rows(
    vectors: NDArray[np.float32],
    graph: Graph,
    task: PickTask,
    report: Report = lambda fraction: None,
) -> Selection:
    """Return the rows that a task asks for, and how well they stand for the others.

    Near-duplicates go first: as long as a group without a picked row is left (in the slot, where
    the task has counts), no further row of another group is picked.

    Rows that are no candidates have no part in the pick: what a policy dropped, noise or copies,
    is not wanted back in the guise of a row that resembles it. Coverage counts them, as long as
    they are in a slot.

    Parameters
    ----------
    vectors : ndarray of shape (n_rows, n_dimensions), float32
        Of any length, zero included; read in blocks, so a memory map is fine.
    graph : tuple of ndarray
        row_nodes int32 (n_rows,), indices int32 (n_nodes, k) and distances float32 (n_nodes, k):
        the nearest neighbours of all rows; rows with identical vectors share a node.
    task : PickTask
    report : callable
        Called with the share that is done, 0 to 1.

    Returns
    -------
    Selection

    Raises
    ------
    FieldInvalid
        If vectors, graph and task are not of the same rows.
    """
    if not len(vectors) == graph[0].size == task.labels.size:
        raise FieldInvalid("vectors, graph and task are not of the same rows", field="task")
    rows = np.sort(_pick(vectors, task, lambda fraction: report(_PICKED * fraction)))
    report(_PICKED)
    distance = coverage_distance(graph[2])
    coverage = find_coverage(vectors, graph, task, rows, distance)
    report(1.0)
    return Selection(rows, coverage, distance)


def _pick(vectors: NDArray[np.float32], task: PickTask, report: Report) -> Rows:
    usable = task.candidates & (task.labels >= 0)
    first = _choice(task, usable & task.keepers, task.counts, task.budget)
    picked = _pick_by_strategy(vectors, task, first, report)
    missing = task.budget - picked.size
    if not missing:
        return picked
    counts = task.counts
    if counts is not None:
        counts = counts - np.bincount(task.labels[picked], minlength=task.slot_count)
    copies = _choice(task, usable & ~task.keepers, counts, missing)
    return np.concatenate([picked, _pick_by_strategy(vectors, task, copies, report)])


def _choice(
    task: PickTask, usable: NDArray[np.bool_], counts: NDArray[np.int64] | None, budget: int
) -> Choice:
    """Return the choice among usable rows, of as many as there are where more are wanted."""
    rows = np.flatnonzero(usable)
    slots = task.labels[rows]
    if counts is None:
        return Choice(rows, slots, None, min(budget, rows.size))
    counts = np.minimum(counts, np.bincount(slots, minlength=task.slot_count))
    return Choice(rows, slots, counts, int(counts.sum()))


def _pick_by_strategy(
    vectors: NDArray[np.float32], task: PickTask, choice: Choice, report: Report
) -> Rows:
    if choice.budget in (0, choice.rows.size):
        return choice.rows[: choice.budget]
    if task.strategy is SamplingStrategy.RANDOM:
        return pick_random(choice, len(vectors), task.seed)
    if task.strategy is SamplingStrategy.CENTRAL:
        return pick_central(choice, vectors)
    return pick_diverse(choice, vectors, report)
