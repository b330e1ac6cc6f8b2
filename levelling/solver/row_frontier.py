"""The counts of rows that cost least at every flatness, where a row that is there once is free."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from levelling.measures import effective_clusters
from levelling.solver.fill import most_level
from levelling.solver.frontier import Frontier, spread_of
from levelling.solver.items import FloatArray, Items

# Relative: totals and levels this close are the same.
_SAME = 1e-12
# How exactly the cut level is found, relative to it and, by ten, in the slope of the cost for each
# cluster, which is flat there; and how exactly while the best step is looked for.
_NARROW, _ROUGH = 1e-9, 1e-6
_MOST_TRIALS = 60
# To how much of the way between its ends the best step with repeats is found.
_STEP_TOLERANCE = 0.02
_GOLDEN = (5**0.5 - 1) / 2


class RowFrontier:
    """The cheapest counts of a total at every spread, where rows are chosen and repeated.

    c rows of a cluster of n have squared weights of c, while none is repeated, and of ``c^2 / n``
    when copies are spread evenly. Without repeats all sizes cost the same; those closest to the
    pool are chosen then, ``min sum(c^2 / n)`` with ``c <= n``, a `Frontier`.

    Only a total or a flatness that needs repeats gets some. Let the largest size that is below its
    cluster's n, if there is one, be t. In the optimum every cluster with ``n >= t`` has the size t
    and every smaller one has all of its rows, as far as limits allow: otherwise a row could move
    from a cluster of size t, where it saves at least its weight, to one that has a row left and is
    smaller, where it costs no more than that, and sizes would be more level. So for a given t, what
    is left is to share the other rows among clusters with ``n <= c <= t`` at ``min sum(c^2 / n)``,
    a `Frontier` again. The least cost as a function of t is convex, since the problem is convex in
    sizes and t together, and its derivative follows from the prices, so t is found by bisection and
    false position.

    Parameters
    ----------
    items : Items
        Whose capacities are row counts; at least one.
    total : float
        Above 0; between the sums of the limits.
    """

    def __init__(self, items: Items, total: float) -> None:
        self._items, self._total = items, total
        # Of the problem before, where the next one is looked for first.
        self._prices: tuple[float, float] | None = None
        once = np.minimum(items.upper, np.maximum(items.capacity, items.lower))
        self._single: Frontier | None = None
        if once.sum() >= total * (1 - _SAME):
            self._single = Frontier(replace(items, upper=once), total)
        self._level = most_level(items, total)
        self._least = spread_of(self._level)

    @property
    def most_spread(self) -> float:
        """The spread of the cheapest sizes."""
        return spread_of(self._cheapest())

    @property
    def least_spread(self) -> float:
        """The spread of the most level sizes."""
        return self._least

    def at(self, spread: float, narrow: float = _NARROW) -> FloatArray:
        """Return the cheapest sizes with at most a spread; the most level ones when none has it.

        `narrow` is how exactly the cut level is found where there are repeats, relative.
        """
        same = _SAME * self._total
        if self._single is not None and spread >= self._single.least_spread - same:
            return self._single.at(spread)
        if spread <= self._least + same:
            return self._level
        return self._repeated(spread, narrow)

    def best_step(self) -> FloatArray:
        """Return the most level sizes without repeats, or those where repeats stop to pay.

        Without repeats flatness costs no effective rows, so it pays to the end. Beyond, it pays as
        long as `Frontier.best_step` says; the sum of logarithms is searched by golden sections.
        """
        if self._single is None:
            most = spread_of(self._repeated(np.inf, _NARROW))
        else:
            most = self._single.least_spread
        if most - self._least <= _SAME * self._total:
            return self.at(most)
        best = self._golden(self._least, most)
        return max(self.at(most), self.at(best), key=self._worth)

    def _golden(self, low: float, high: float) -> float:
        """Return the spread, between two, where the sum of logarithms is greatest."""
        tolerance = _STEP_TOLERANCE * (high - low)
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        at_left, at_right = self._worth_at(left), self._worth_at(right)
        while high - low > tolerance:
            if at_left > at_right:
                high, right, at_right = right, left, at_left
                left = high - _GOLDEN * (high - low)
                at_left = self._worth_at(left)
            else:
                low, left, at_left = left, right, at_right
                right = low + _GOLDEN * (high - low)
                at_right = self._worth_at(right)
        return (low + high) / 2

    def _worth_at(self, spread: float) -> float:
        return self._worth(self.at(spread, _ROUGH))

    def _worth(self, sizes: FloatArray) -> float:
        return float(np.log(effective_clusters(sizes)) - np.log(self._squares(sizes)))

    def _squares(self, sizes: FloatArray) -> float:
        return float(np.maximum(sizes, sizes**2 / self._items.capacity).sum())

    def _cheapest(self) -> FloatArray:
        if self._single is not None:
            return self._single.at(np.inf)
        return self._repeated(np.inf, _NARROW)

    def _repeated(self, spread: float, narrow: float) -> FloatArray:
        """Return the cheapest sizes with at most a spread that cannot be had without repeats."""
        low, high = self._lowest_level(), float(self._items.capacity.max())
        slopes, found = [-np.inf, np.inf], []
        for trial in range(_MOST_TRIALS):
            middle = high if trial == 0 else _between(low, high, slopes, trial)
            level = self._next_cut(middle)
            here = self._cut_at(level, spread)
            found.append(here)
            if here.slope < 0 and level < np.inf:
                low, slopes[0] = level, here.slope
            else:
                high, slopes[1] = middle, here.slope
            is_flat = level < np.inf and abs(here.slope) <= 10 * narrow
            if is_flat or high - low <= narrow * high:
                break
        prices = self._prices
        found.append(self._cut_at(np.inf, spread))
        self._prices = prices
        fitting = [cut.sizes for cut in found if self._fits(cut.sizes, spread)]
        # The most level sizes fit always, also where rounding leaves no cut that does.
        return min([*fitting, self._level], key=self._squares)

    def _next_cut(self, level: float) -> float:
        """Return the least level, from this one on, that cuts a cluster; infinity without one."""
        items = self._items
        first = np.maximum(items.lower, level)
        cuts = first[(first <= items.capacity) & (first < items.upper)]
        return float(cuts.min()) if cuts.size else np.inf

    def _fits(self, sizes: FloatArray, spread: float) -> bool:
        off = abs(float(sizes.sum()) - self._total)
        return max(off, spread_of(sizes) - spread) <= 1e-9 * self._total

    def _lowest_level(self) -> float:
        """Return the level of the most level sizes: no cut below it leaves room for the total."""
        items, level = self._items, self._level
        free = (level > items.lower) & (level < items.upper)
        return float(level[free].max()) if free.any() else float(level.max())

    def _cut_at(self, level: float, spread: float) -> _Cut:
        """Return the cheapest sizes with a cut level, and how fast their cost rises with it."""
        items = self._items
        is_cut = items.capacity >= level
        lower = np.clip(np.minimum(items.capacity, level), items.lower, items.upper)
        upper = np.where(is_cut, lower, np.clip(level, lower, items.upper))
        if lower.sum() >= self._total:
            # Even without repeats the cut is too high for the total.
            return _Cut(lower, np.inf)
        if upper.sum() <= self._total:
            return _Cut(upper, -np.inf)
        part = replace(items, lower=lower, upper=upper)
        frontier = Frontier(part, self._total, self._prices)
        sizes, price, penalty = frontier.priced_at(spread)
        if np.isnan(price):
            return _Cut(sizes, np.inf if frontier.least_spread > spread else -np.inf)
        self._prices = price, penalty
        return _Cut(sizes, self._slope(sizes, level, price, penalty))

    def _slope(self, sizes: FloatArray, level: float, price: float, penalty: float) -> float:
        """Return the derivative of the cost by the cut level, from that of the Lagrangian."""
        items = self._items
        # At the level by the cut alone: their own limits hold the others.
        moved = (sizes >= level * (1 - _SAME)) & (items.upper > level) & (items.lower <= level)
        above = float(np.count_nonzero(sizes > level * (1 + _SAME)))
        count = float(np.count_nonzero(moved))
        ends = np.array([above, above + count])
        spread = float(np.diff(ends * (items.count - ends))[0]) / items.count
        costs = np.where(items.capacity >= level, 0.5, level / items.capacity)[moved]
        # Per cluster, so that it has no unit.
        return (float(costs.sum()) - price * count + penalty * spread) / items.count


@dataclass(frozen=True, eq=False)
class _Cut:
    """Sizes with a cut level, and the derivative of their cost by the level."""

    sizes: FloatArray
    slope: float


def _between(low: float, high: float, slopes: list[float], trial: int) -> float:
    """Return where to look next: where a line through both slopes is 0, every third time half."""
    if not np.isfinite(slopes).all() or trial % 3 == 2:
        return (low + high) / 2
    share = -slopes[0] / (slopes[1] - slopes[0])
    return low + (high - low) * float(np.clip(share, 0.01, 0.99))


def make_frontier(items: Items, total: float, *, whole_numbers: bool) -> Frontier | RowFrontier:
    """Return the frontier of weights, or of counts of rows."""
    return RowFrontier(items, total) if whole_numbers else Frontier(items, total)
