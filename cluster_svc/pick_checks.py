"""Whether a choice of rows can be made at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cluster_svc.request_limits import check_range
from level_rpc.errors import FieldInvalid
from levelling.plans.picks import PickTask


def check_budget(slot_count: int, budget: int, seed: int, row_count: int) -> None:
    """Raise FieldInvalid unless the numbers of a choice are within their ranges."""
    check_range("slot_count", slot_count, 1, 2**31 - 1)
    check_range("budget", budget, 0, row_count)
    check_range("random_seed", seed, 0, 2**63 - 1)


def check_task(task: PickTask) -> None:
    """Raise FieldInvalid unless the arrays of a choice fit each other.

    Every label is a slot or -1, every group a row, counts are what the slots' candidates can give
    and add up to the budget, which is at most all candidates; keepers are candidates.
    """
    labels, rows, slots = task.labels, task.labels.size, task.slot_count
    _require(bool(((labels >= -1) & (labels < slots)).all()), "labels", "name a slot that is none")
    _check_lengths(task, rows, slots)
    groups = task.near_dup_groups
    if groups is not None:
        fits = bool(((groups >= 0) & (groups < rows)).all())
        _require(fits, "near_duplicate_groups", "name a row that is none")
    _require(not (task.keepers & ~task.candidates).any(), "keepers", "are no candidates")
    _check_counts(task, np.bincount(labels[task.candidates & (labels >= 0)], minlength=slots))


def _check_lengths(task: PickTask, rows: int, slots: int) -> None:
    for name, array in (
        ("candidates", task.candidates),
        ("near_duplicate_groups", task.near_dup_groups),
        ("keepers", task.keepers),
    ):
        _require(array is None or array.shape == (rows,), name, f"are not {rows}, one a row")
    counts = task.counts
    _require(counts is None or counts.shape == (slots,), "counts", f"are not {slots}, one a slot")


def _check_counts(task: PickTask, available: NDArray[np.int64]) -> None:
    candidates = int(available.sum())
    enough = 0 <= task.budget <= candidates
    _require(enough, "budget", f"is {task.budget}, of {candidates} candidates")
    if task.counts is None:
        return
    within = (task.counts >= 0) & (task.counts <= available)
    slot = int(within.argmin())
    fault = f"ask for {task.counts[slot]} rows of slot {slot}, which has {available[slot]}"
    _require(bool(within.all()), "counts", fault)
    total = int(task.counts.sum())
    _require(total == task.budget, "counts", f"add up to {total}, the budget is {task.budget}")


def _require(holds: bool, field: str, fault: str) -> None:
    if not holds:
        raise FieldInvalid(f"{field} {fault}", field=field)
