"""The sizes that cost least at every flatness that the limits allow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from levelling.solver.fill import cheapest, most_level
from levelling.solver.items import FloatArray, Items
from levelling.solver.prices import Priced, PriceSearch, curvature_of

# Relative to the total, spreads this close are the same one.
_SAME_SPREAD = 1e-13
# Relative: how exactly the penalty at the best step is found, where the sum of logarithms is flat,
# and the total on the way there.
_STEP_TOLERANCE = 1e-3
_NEAR_TOTAL = 1e-7
_MOST_TRIALS = 60


def spread_of(sizes: FloatArray) -> float:
    """Return ``sum_{i<j} |s_i - s_j| / n``: the Gini coefficient times the total."""
    count = sizes.size
    ranks = 2.0 * np.arange(1, count + 1) - count - 1
    return float(ranks @ np.sort(sizes)) / count if count else 0.0


class Frontier:
    """The cheapest sizes of a total at every spread, from the cheapest ones to the most level.

    Parameters
    ----------
    items : Items
        At least one.
    total : float
        Above 0; between the sums of the limits.
    start : tuple of float, optional
        Where to look for prices first, such as those of a similar problem of the same total.
    """

    def __init__(
        self, items: Items, total: float, start: tuple[float, float] | None = None
    ) -> None:
        self._scale = items.count / total
        # The search works on sizes of mean 1, so that its tolerances have no unit.
        self._items = replace(
            items,
            capacity=items.capacity * self._scale,
            lower=items.lower * self._scale,
            upper=items.upper * self._scale,
        )
        self._total = float(items.count)
        self._cheapest = cheapest(self._items, self._total)
        self._level = most_level(self._items, self._total)
        self._most, self._least = spread_of(self._cheapest), spread_of(self._level)
        self._search = PriceSearch(self._items.grouped, self._total)
        self._prices = self._first_prices() if start is None else start

    @property
    def most_spread(self) -> float:
        """The spread of the cheapest sizes."""
        return self._most / self._scale

    @property
    def least_spread(self) -> float:
        """The spread of the most level sizes."""
        return self._least / self._scale

    def at(self, spread: float) -> FloatArray:
        """Return the cheapest sizes with at most a spread; the most level ones when none has it."""
        return self.priced_at(spread)[0]

    def priced_at(self, spread: float) -> tuple[FloatArray, float, float]:
        """Return the same, the price of size and the penalty on spread; none on the most level."""
        wanted = spread * self._scale
        same = _SAME_SPREAD * self._total
        if wanted >= self._most - same:
            return self._cheapest / self._scale, self._first_prices()[0], 0.0
        if wanted <= self._least + same:
            return self._level / self._scale, np.nan, np.nan
        found = self._find(wanted)
        return self._sizes(found) / self._scale, found.price, found.penalty

    def best_step(self) -> FloatArray:
        """Return the sizes where one more step of flatness costs more than it gives.

        Flatness buys effective clusters and pays with effective rows. Both are counts of things
        that are worth a share more, not a number more: from 5 effective clusters to 6 is worth what
        from 50 to 60 is. So going on pays as long as a step raises the effective clusters by a
        larger share than it lowers the effective sample size, and stops paying where the sum of
        their logarithms is greatest. The derivative of both is known along the frontier: that of
        the cost is minus the price of spread (the envelope theorem), and the sizes move linearly
        between changes of the pools.
        """
        if self._most - self._least <= _SAME_SPREAD * self._total:
            return self._cheapest / self._scale
        found = self._search.at_penalty(self._best_penalty(), self._prices[0])
        return self._sizes(found) / self._scale

    def _best_penalty(self) -> float:
        """Return the penalty on spread at the best step; more flatness has a higher one."""
        price = self._first_prices()[0]
        low, high, penalty = 0.0, np.inf, abs(price) / 2
        gains: list[float] = [np.nan, np.nan]
        for trial in range(_MOST_TRIALS):
            here = self._search.at_penalty(penalty, price, _NEAR_TOTAL)
            self._prices = (here.price, penalty)
            gain = self._gain(here)
            # A gain below 0: with more spread the sum falls, so the best has less.
            low, high = (penalty, high) if gain < 0 else (low, penalty)
            gains = [gain, gains[1]] if gain < 0 else [gains[0], gain]
            if np.isfinite(high) and high - low <= _STEP_TOLERANCE * high:
                break
            following = 2 * penalty if np.isinf(high) else _between(low, high, gains, trial)
            price = here.price + (following - penalty) * _price_by_penalty(here)
            penalty = following
        return penalty

    def _gain(self, here: Priced) -> float:
        """Return how fast log(effective clusters) + log(sample size) rises with the spread."""
        pools = here.pools
        (own, mixed), (_, other) = curvature_of(pools)
        rates, *_ = np.linalg.lstsq(
            np.array([[own, mixed], [-mixed, -other]]), np.array([0.0, 1.0]), rcond=None
        )
        moves = (pools.weights * rates[0] - pools.ranks * rates[1]) / pools.rises
        moving = pools.pool_of >= 0
        sizes = pools.sizes[moving]
        change = moves[pools.pool_of[moving]] * self._items.grouped.multiplicity[moving]
        entropy = -float(change @ np.log(np.maximum(sizes, np.finfo(float).tiny))) / self._total
        return entropy + 2 * here.penalty / self._items.squares(self._sizes(here))

    def _find(self, spread: float) -> Priced:
        found = self._search.find(spread, self._prices)
        self._prices = (found.price, found.penalty)
        return found

    def _sizes(self, found: Priced) -> FloatArray:
        return found.pools.sizes[self._items.grouped.group_of]

    def _first_prices(self) -> tuple[float, float]:
        """Return the price at which the cheapest sizes are best without a penalty."""
        items = self._items
        free = np.flatnonzero((self._cheapest > items.lower) & (self._cheapest < items.upper))
        if free.size == 0:
            return self._total / float(items.capacity.sum()), 0.0
        return float(self._cheapest[free[0]] / items.capacity[free[0]]), 0.0


def _price_by_penalty(here: Priced) -> float:
    """Return how fast the price must rise with the penalty for the total to stay."""
    (own, mixed), _ = curvature_of(here.pools)
    return float(-mixed / own) if own > 0 else 0.0


def _between(low: float, high: float, gains: list[float], trial: int) -> float:
    """Return where to look next: where a line through both gains is 0, or every third time half."""
    if not np.isfinite(gains).all() or trial % 3 == 2:
        return (low + high) / 2
    share = gains[0] / (gains[0] - gains[1])
    return low + (high - low) * float(np.clip(share, 0.01, 0.99))
