"""Copies spread evenly: over the units of a cluster, and over the rows of a unit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_REPEAT_STREAM = 2  # of the seed, apart from other choices


def spread_repeats(
    counts: NDArray[np.int64],
    slots: NDArray[np.int32],
    units: NDArray[np.int64],
    ranks: NDArray[np.int64],
    rows: NDArray[np.int64],
    seed: int,
) -> NDArray[np.int32]:
    """Return how often each row stands when its slot is to have so many copies in all.

    Every unit of a slot gets the mean, rounded down or up; which are rounded up is drawn. Within a
    unit so does every row, those that are kept first before the others.

    Parameters
    ----------
    counts : ndarray of shape (n_slots,), int64
        The copies that each slot is to have; 0 where it has no rows.
    slots, units, ranks : ndarray of shape (n_rows,)
        As in `Pool`.
    rows : ndarray of shape (n_used,), int64
        The rows that may be repeated; others get nothing.
    seed : int

    Returns
    -------
    ndarray of shape (n_rows,), int32
        At least 0; of rows of one unit, and of units of one slot, never more than 1 apart.
    """
    drawn = np.random.default_rng((_REPEAT_STREAM, seed)).permutation(rows.size)
    _, first, unit = np.unique(units[rows], return_index=True, return_inverse=True)
    unit_copies = _share_evenly(counts, slots[rows][first], drawn[first])
    copies = np.zeros(slots.size, np.int32)
    copies[rows] = _share_evenly(unit_copies, unit, ranks[rows])
    return copies


def _share_evenly(
    totals: NDArray[np.int64], owners: NDArray[np.integer], order: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Return each member's part of its owner's total; what is left over goes in an order."""
    members = np.bincount(owners, minlength=totals.size)
    sorted_members = np.lexsort((order, owners))
    places = np.empty(owners.size, np.int64)
    firsts = np.cumsum(members) - members
    places[sorted_members] = np.arange(owners.size) - firsts[owners[sorted_members]]
    whole, left = np.divmod(totals, np.maximum(members, 1))
    shares: NDArray[np.int64] = whole[owners] + (places < left[owners])
    return shares
