"""What one round of picking chooses from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Report = Callable[[float], None]
"""Called now and then with the share that is done, 0 to 1."""


@dataclass(frozen=True, eq=False)
class Choice:
    """Rows that may be picked, and how many of them.

    Parameters
    ----------
    rows : ndarray of shape (n_candidates,), int64
        Row numbers, rising.
    slots : ndarray of shape (n_candidates,), int32
        The slot of each of them.
    counts : ndarray of shape (n_slots,), int64, optional
        How many to pick of each slot, at most its rows. None: any `budget` rows.
    budget : int
        How many to pick in all, at most the rows; the sum of `counts` where they are given.
    """

    rows: Rows
    slots: NDArray[np.int32]
    counts: NDArray[np.int64] | None
    budget: int


def take_lowest(choice: Choice, keys: NDArray[np.float64]) -> Rows:
    """Return the rows with the lowest keys, of equal ones the lower row number.

    As many of each slot as are wanted, or of all where there are no counts.

    Parameters
    ----------
    choice : Choice
    keys : ndarray of shape (n_candidates,), float64
    """
    if choice.counts is None:
        return choice.rows[np.argsort(keys, kind="stable")[: choice.budget]]
    order = np.lexsort((keys, choice.slots))
    slots = choice.slots[order]
    return choice.rows[order[places_in_slots(slots) < choice.counts[slots]]]


def places_in_slots(slots: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the place of each row among those of its slot, from 0; `slots` must be rising."""
    starts = np.searchsorted(slots, slots)
    places: NDArray[np.int64] = np.arange(slots.size) - starts
    return places
