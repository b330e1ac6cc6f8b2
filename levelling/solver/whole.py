"""Sizes rounded to whole rows, keeping the total, the limits and, where rows allow it, flatness."""

from __future__ import annotations

import numpy as np

from levelling.solver.frontier import Frontier, spread_of
from levelling.solver.items import FloatArray, IntArray, Items
from levelling.solver.row_frontier import RowFrontier

_WHOLE = 1e-6
_MOST_ROUNDS = 12


def round_sizes(sizes: FloatArray, items: Items, total: int, *, level: bool) -> IntArray:
    """Return whole sizes with a total, each its size rounded down or up.

    The rows that rounding down leaves over go to the largest remainders, the rounding that is
    nearest to the sizes in every norm (Hamilton's method); with `level` they go to the smallest
    sizes first, so that small ones grow and large ones shrink: that can only lower the spread, but
    for the ties within the last row.

    Parameters
    ----------
    sizes : ndarray of shape (n_items,), float64
        Within the limits, which are whole; their sum is within rounding of `total`.
    items : Items
    total : int
    level : bool

    Returns
    -------
    ndarray of shape (n_items,), int64
        Within the limits; its sum is `total` where the limits allow it.
    """
    whole = np.floor(sizes + _WHOLE)
    whole = np.clip(whole, items.lower, items.upper)
    remainders = sizes - whole
    keys = (-items.capacity, -remainders, sizes) if level else (-items.capacity, -remainders)
    order = np.lexsort(keys)
    missing = total - round(float(whole.sum()))
    # Sizes that are whole already get a row, or give one, only when rounding of the sum asks it.
    room = order[(whole[order] < items.upper[order]) & (remainders[order] > _WHOLE)]
    whole[room[: max(missing, 0)]] += 1
    return _settle(whole, items, total).astype(np.int64)


def _settle(whole: FloatArray, items: Items, total: int) -> FloatArray:
    """Give or take single rows until the sum is right or no limit has room."""
    missing = total - round(float(whole.sum()))
    while missing:
        room = items.upper - whole if missing > 0 else whole - items.lower
        order = np.argsort(whole if missing > 0 else -whole, kind="stable")
        places = order[room[order] >= 1][: abs(missing)]
        if places.size == 0:
            break
        whole[places] += np.sign(missing)
        missing = total - round(float(whole.sum()))
    return whole


def round_at_spread(
    frontier: Frontier | RowFrontier, items: Items, total: int, spread: float
) -> IntArray:
    """Return the whole sizes of a total with at most a spread, near the cheapest ones.

    Rounds the cheapest sizes; when that leaves more spread than is wanted, asks for as much less
    and rounds again. The most level whole sizes are the rounded most level sizes: all that are at
    no limit are equal but for one row. They are returned when nothing else has as little spread,
    so the wanted spread is kept whenever whole sizes can keep it.

    Parameters
    ----------
    frontier : Frontier or RowFrontier
        Of the items and the total.
    items : Items
    total : int
    spread : float
        As `levelling.solver.frontier.spread_of`.
    """
    allowed = spread + 1e-12 * max(spread, 1.0)
    sizes = frontier.at(spread)
    nearest = round_sizes(sizes, items, total, level=False)
    wanted = spread
    for trial in range(_MOST_ROUNDS):
        candidates = [nearest] if trial == 0 else []
        candidates.append(round_sizes(sizes, items, total, level=True))
        for counts in candidates:
            excess = spread_of(counts.astype(np.float64)) - allowed
            if excess <= 0:
                return counts
        if wanted <= frontier.least_spread:
            break
        wanted -= 1.1 * excess
        sizes = frontier.at(wanted)
    return round_sizes(frontier.at(frontier.least_spread), items, total, level=True)
