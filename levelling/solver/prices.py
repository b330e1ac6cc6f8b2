"""The prices at which the cheapest sizes have a given total and a given spread.

Let P(s) be the cost, T(s) the total and H(s) the spread. The dual of ``min P`` subject to ``T = t``
and ``H <= h`` is ``d(a, b) = min_s P(s) + b (H(s) - h) - a (T(s) - t)``, concave, once continuously
differentiable since P is strictly convex, with the gradient ``(t - T, H - h)`` at the minimiser,
which the kernel finds exactly. Between changes of the pools the gradient is linear in the prices,
so Newton's steps, made safe by a search along each, end after finitely many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from levelling.solver.items import FloatArray, Grouped
from levelling.solver.penalised import Pools, solve_penalised

# Errors relative to the total: what is enough, and what is kept when rounding allows no better.
_EXACT, _GOOD = 1e-13, 1e-11
_MOST_STEPS = 100
_MOST_TRIALS = 60


@dataclass(frozen=True, eq=False)
class Priced:
    """Sizes, and the prices at which they are the best."""

    pools: Pools
    price: float
    penalty: float


class PriceSearch:
    """Newton's method on the dual.

    Parameters
    ----------
    grouped : Grouped
        Scaled so that the wanted total is the number of items.
    total : float
    """

    def __init__(self, grouped: Grouped, total: float) -> None:
        self._grouped, self._total = grouped, total

    def find(self, spread: float, start: tuple[float, float]) -> Priced:
        """Return the cheapest sizes with the total and at most this spread.

        The spread must be one that sizes within the limits can have, and less than that of the
        cheapest sizes.
        """
        here = self._at(np.array(start))
        for _ in range(_MOST_STEPS):
            uphill = self._uphill(here, spread)
            error = np.abs(uphill).max() / self._total
            if error <= _EXACT:
                break
            step = self._newton_step(here, uphill)
            there = self._search_along(here, step, uphill, spread)
            after = np.abs(self._uphill(there, spread)).max() / self._total
            if after >= error and error <= _GOOD:
                break
            here = there
        return here

    def at_penalty(self, penalty: float, price: float, exact: float = _EXACT) -> Priced:
        """Return the best sizes at a penalty whose total is the wanted one, relative to `exact`.

        The total rises with the price, linearly between changes of the pools.
        """
        low, high = -np.inf, np.inf
        for _ in range(_MOST_STEPS):
            here = self._at(np.array([price, penalty]))
            missing = self._total - here.pools.total
            if abs(missing) <= exact * self._total:
                break
            low, high = (price, high) if missing > 0 else (low, price)
            rise = float(curvature_of(here.pools)[0, 0])
            price = price + missing / rise if rise > 0 else np.nan
            if not low < price < high:
                price = _inside(low, high)
            if price in (low, high):
                break
        return here

    def _at(self, prices: FloatArray) -> Priced:
        price, penalty = float(prices[0]), float(max(prices[1], 0.0))
        return Priced(solve_penalised(self._grouped, price, penalty), price, penalty)

    def _uphill(self, here: Priced, spread: float) -> FloatArray:
        gradient = np.array([self._total - here.pools.total, here.pools.spread - spread])
        # Inequality cannot be paid for: below a price of 0 there is nothing to gain.
        if here.penalty <= 0 and gradient[1] < 0:
            gradient[1] = 0.0
        return gradient

    def _newton_step(self, here: Priced, uphill: FloatArray) -> FloatArray:
        curvature = curvature_of(here.pools)
        scale = float(np.trace(curvature))
        if scale <= 0:
            return uphill
        damped: FloatArray = curvature + (1e-13 * scale) * np.eye(2)
        step = np.linalg.solve(damped, uphill).astype(np.float64)
        if here.penalty <= 0 and step[1] < 0:
            step = np.array([uphill[0] / damped[0, 0], 0.0])
        if step @ uphill <= 0:
            step = uphill
        # Where one pool alone is at no limit the curvature is singular, and steps without bound.
        longest = 1.0 + abs(here.price) + here.penalty
        return step * min(1.0, longest / float(np.abs(step).max()))

    def _search_along(
        self, here: Priced, step: FloatArray, uphill: FloatArray, spread: float
    ) -> Priced:
        """Return a point along the step where the dual rises much less than here.

        The dual's slope along the step falls; its zero is bracketed and closed in on.
        """
        origin = np.array([here.price, here.penalty])
        first = float(step @ uphill)
        near, near_slope, far, far_slope = 0.0, first, np.inf, -np.inf
        longest = here.penalty / -step[1] if step[1] < 0 else np.inf
        length = min(1.0, longest)
        there = here
        for _ in range(_MOST_TRIALS):
            there = self._at(origin + length * step)
            slope = float(step @ self._uphill(there, spread))
            if abs(slope) <= 0.5 * first or (slope > 0 and length >= longest):
                return there
            if slope > 0:
                near, near_slope = length, slope
            else:
                far, far_slope = length, slope
            length = min(_next_length(near, near_slope, far, far_slope), longest)
        return there


def _inside(low: float, high: float) -> float:
    """Return a number between two, or beyond the one that is finite."""
    if np.isinf(high):
        return low + 1.0 + abs(low)
    if np.isinf(low):
        return high - 1.0 - abs(high)
    return (low + high) / 2


def _next_length(near: float, near_slope: float, far: float, far_slope: float) -> float:
    """Return the next length to try: longer until the slope is negative, then between."""
    if np.isinf(far):
        return 4.0 * near
    share = near_slope / (near_slope - far_slope)
    return near + (far - near) * float(np.clip(share, 0.1, 0.9))


def curvature_of(pools: Pools) -> FloatArray:
    """Return minus the second derivative of the dual by its two prices, shape (2, 2)."""
    by_price = pools.weights / pools.rises
    by_penalty = pools.ranks / pools.rises
    mixed = -float(by_price @ pools.ranks)
    return np.array(
        [[float(by_price @ pools.weights), mixed], [mixed, float(by_penalty @ pools.ranks)]]
    )
