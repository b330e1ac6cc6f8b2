"""What a plan asks of row selection, and what it gets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from levelling.request import SamplingStrategy


@dataclass(frozen=True, eq=False)
class PickTask:
    """Which rows are to be chosen from, and how many.

    Parameters
    ----------
    labels : ndarray of shape (n_rows,), int32
        The slot of each row, 0 to n_slots - 1: a slot for each cluster of the levelled layer, in
        the order of their ids, then one for noise; -1 for rows that play no part.
    slot_count : int
        How many slots there are, those without rows included.
    counts : ndarray of shape (n_slots,), int64, optional
        How many rows of each slot to pick, at most its candidates. None: the `budget` rows that
        are best over all slots.
    budget : int
        How many rows to pick in all; the sum of `counts` where they are given.
    candidates : ndarray of shape (n_rows,), bool
        The rows that may be picked; at least `budget` of them.
    near_dup_groups : ndarray of shape (n_rows,), int32, optional
        The group of near-duplicates of each row.
    keepers : ndarray of shape (n_rows,), bool
        The candidate of each group that is to be picked before the others of its group; every
        candidate where there are no groups.
    strategy : SamplingStrategy
    seed : int
    """

    labels: NDArray[np.int32]
    slot_count: int
    counts: NDArray[np.int64] | None
    budget: int
    candidates: NDArray[np.bool_]
    near_dup_groups: NDArray[np.int32] | None
    keepers: NDArray[np.bool_]
    strategy: SamplingStrategy
    seed: int


@dataclass(frozen=True, eq=False)
class Selection:
    """The rows that were chosen, and how well they stand for the others.

    Parameters
    ----------
    rows : ndarray of shape (n_picked,), int64
        Rising, each one once.
    coverage : ndarray of shape (n_slots,), float64
        The share of each slot's rows that are within `coverage_distance` of a chosen row, 0 to 1.
    coverage_distance : float
        A cosine distance, 0 to 2.
    """

    rows: NDArray[np.int64]
    coverage: NDArray[np.float64]
    coverage_distance: float
