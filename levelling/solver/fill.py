"""Sizes of a given shape and total within limits: closed forms by sorting."""

from __future__ import annotations

import numpy as np

from levelling.solver.items import FloatArray, Items


def fill_to_total(
    shares: FloatArray, lower: FloatArray, upper: FloatArray, total: float
) -> FloatArray:
    """Return ``clip(c shares, lower, upper)`` with the c that makes the sum `total`.

    The projection of `shares` on the sizes that keep the limits and the total, by Kullback-Leibler
    divergence: ``min sum(s log(s / p) - s)`` has the condition ``log(s / p) = log c`` for each size
    that is at no limit, and c is the multiplier of the total. It is the projection by any other
    separable measure with ``f' = g(s / p)``, g rising, too: with capacities as shares it is the
    cheapest of all sizes with the total, and with equal shares the most level, since it is
    majorised by all others (Fujishige 1980).

    Parameters
    ----------
    shares : ndarray of shape (n_items,), float64
        p: at least 0, in any unit. Where it is 0, the size is the lower limit.
    lower, upper : ndarray of shape (n_items,), float64
        ``0 <= lower <= upper``; upper may be infinite.
    total : float
        Where no c reaches it, the nearest sum that one does reach is made.

    Returns
    -------
    ndarray of shape (n_items,), float64
        In O(n log n): the sum is piecewise linear in c and bends where a share meets a limit.
    """
    held = shares <= 0
    sizes = np.where(held, lower, upper)
    some = np.flatnonzero(~held)
    if some.size == 0:
        return sizes
    shares, low, high = shares[some], lower[some], upper[some]
    wanted = total - float(lower[held].sum())
    factor = _factor(shares, low, high, wanted)
    sizes[some] = np.clip(factor * shares, low, high)
    return sizes


def _factor(shares: FloatArray, low: FloatArray, high: FloatArray, wanted: float) -> float:
    """Return the c at which the sum is `wanted`, or the nearest end of what it can be."""
    starts, ends = low / shares, high / shares
    factors = np.concatenate([starts, ends])
    # Above its start a size grows by its share for each unit of c, and above its end it does not.
    changes = np.concatenate([shares, -shares])
    order = np.argsort(factors, kind="stable")
    factors, changes = factors[order], changes[order]
    finite = np.isfinite(factors)
    factors, slopes = factors[finite], np.cumsum(changes[finite])
    rises = np.append(0.0, np.cumsum(slopes[:-1] * np.diff(factors)))
    sums = float(low.sum()) + rises
    place = int(np.searchsorted(sums, wanted, side="right")) - 1
    if place < 0:
        return float(factors[0])
    if place == sums.size - 1 and not np.isinf(high).any():
        return float(factors[-1])
    return _solved(shares, low, high, wanted, factors, place)


def _solved(
    shares: FloatArray,
    low: FloatArray,
    high: FloatArray,
    wanted: float,
    factors: FloatArray,
    place: int,
) -> float:
    """Return c between two neighbouring bends, from the sizes at no limit there."""
    lowest = factors[place]
    highest = factors[place + 1] if place + 1 < factors.size else np.inf
    free = (low / shares <= lowest) & (high / shares >= highest)
    rest = np.where(free, 0.0, np.clip(lowest * shares, low, high)).sum()
    moving = float(shares[free].sum())
    if moving <= 0:
        return float(lowest)
    return float(np.clip((wanted - rest) / moving, lowest, highest))


def cheapest(items: Items, total: float) -> FloatArray:
    """Return the sizes of least cost with a total: in proportion to capacity, within limits."""
    return fill_to_total(items.capacity, items.lower, items.upper, total)


def most_level(items: Items, total: float) -> FloatArray:
    """Return the sizes with a total that are majorised by all others: equal, within limits."""
    return fill_to_total(np.ones(items.count), items.lower, items.upper, total)
