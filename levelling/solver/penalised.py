"""Sizes that trade their cost against their inequality at a given price: the solver's kernel.

``min sum(f_i(s_i)) + b sum_{i<j} |s_i - s_j| / n - a sum(s_i)`` over ``lower <= s <= upper`` for n
items. The differences are the Lovasz extension of ``F(S) = b |S| (n - |S|) / n``: the sum over
pairs is the integral over t of how many pairs t separates. By Fujishige (1980), Groenevelt (1991)
and Hochbaum (2001), the items above a level t in the optimum are then a smallest set S that
minimises ``sum_{i in S} (f_i'(t) - a) + F(S)``, and these sets are nested. F knows only how many,
so S is made of the items of least f_i'(t). Those whose lower limit is above t are in S, those whose
upper limit is at or below t are not, and all others have f_i'(t) in the order of s / q, that is, of
falling capacity q: one sort, before anything else, orders them for every t.

So the items are split at a level into those above it and those not above it; the two parts are
problems of the same kind whose items know how many others are above them. First the levels are
breakpoints, halving what remains (at most log2 of their number of passes, over all parts at once);
then no limit lies inside any part, and each part is split at its own mean until a part does not
split: its items are one pool, of the size at which their summed derivative is 0.

References
----------
Fujishige, S. (1980). Lexicographically optimal base of a polymatroid with respect to a weight
vector. Mathematics of Operations Research 5(2), 186-196. Groenevelt, H. (1991). Two algorithms for
maximizing a separable concave function over a polymatroid feasible region. EJOR 54(2), 227-236.
Hochbaum, D. S. (2001). An efficient algorithm for image segmentation, Markov random fields and
related problems. Journal of the ACM 48(4), 686-701.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from levelling.solver.items import FloatArray, Grouped, IntArray

# A split that gains less than this share of what is summed is rounding, not a split.
_ROUNDING = 1e-14


@dataclass(frozen=True, eq=False)
class Pools:
    """Sizes at one pair of prices, and how they change with the prices.

    Parameters
    ----------
    sizes : ndarray of shape (n_groups,), float64
        Of the groups, in their order.
    total : float
        The sum of sizes over items.
    spread : float
        ``sum_{i<j} |s_i - s_j| / n``.
    weights, ranks, rises : ndarray of shape (n_pools,), float64
        Of the pools that are at no limit: how many items, their summed rank coefficients, and the
        summed rise of their derivatives. The size of a pool is
        ``(weights a - ranks b) / rises``.
    pool_of : ndarray of shape (n_groups,), int64
        The pool of each group, -1 where a limit holds it.
    """

    sizes: FloatArray
    total: float
    spread: float
    weights: FloatArray
    ranks: FloatArray
    rises: FloatArray
    pool_of: IntArray


def solve_penalised(grouped: Grouped, price: float, penalty: float) -> Pools:
    """Return the sizes that are best at a price of size and a penalty on inequality.

    Parameters
    ----------
    grouped : Grouped
    price : float
        a: what a unit of size is worth.
    penalty : float
        b: what a unit of spread costs, at least 0.

    Returns
    -------
    Pools
        In O(n log n) for n groups, whatever the order of their limits.
    """
    parts = _Parts(grouped, price, penalty)
    while parts.has_breakpoints:
        parts.split_at_breakpoints()
    parts.split_off_fixed()
    return _Means(parts).pools()


class _Parts:
    """Groups from the largest size to the smallest, as far as that is known, cut into parts."""

    def __init__(self, grouped: Grouped, price: float, penalty: float) -> None:
        self.grouped, self.price, self.penalty = grouped, price, penalty
        self.item_count = float(grouped.multiplicity.sum())
        # No size is below 0, so the lowest level need only be below that.
        self.levels = np.concatenate([[-1.0], grouped.breakpoints, [np.inf]])
        self.order = np.arange(grouped.capacity.size)
        self.starts = np.zeros(1, np.int64)
        # A part's sizes are above levels[low] and at most levels[high].
        self.low = np.zeros(1, np.int64)
        self.high = np.array([self.levels.size - 1])

    @property
    def has_breakpoints(self) -> bool:
        """Whether a limit may lie inside a part."""
        return bool((self.high - self.low > 1).any())

    def part_of(self) -> IntArray:
        """Return the part of each place."""
        ends = np.append(self.starts[1:], self.order.size)
        return np.repeat(np.arange(self.starts.size), ends - self.starts)

    def counts_above(self) -> FloatArray:
        """Return how many items stand before each place, and all at the end."""
        return np.append(0.0, np.cumsum(self.grouped.multiplicity[self.order]))

    def spread_of(self, count: FloatArray) -> FloatArray:
        """Return how many of the differences, over n, a level with so many items above it cuts."""
        spread: FloatArray = count * ((self.item_count - count) / self.item_count)
        return spread

    def split_at_breakpoints(self) -> None:
        """Split every part at the middle one of the breakpoints inside it."""
        grouped, order = self.grouped, self.order
        middle = (self.low + self.high) // 2
        part = self.part_of()
        at = self.levels[middle][part]
        # A part without a breakpoint inside stays whole: all of it is above its own lower end.
        above = (grouped.lower[order] > at) | (middle == self.low)[part]
        free = ~above & (grouped.upper[order] > at)
        gains = grouped.multiplicity[order] * (at / grouped.capacity[order] - self.price)
        places = self._last_of_best(np.where(free, gains, 0.0), free, above)
        above |= free & (np.arange(order.size) <= places[part])
        self._cut(part, above, middle)

    def _last_of_best(
        self, gains: FloatArray, free: NDArray[np.bool_], above: NDArray[np.bool_]
    ) -> IntArray:
        """Return the last place of the smallest best set of each part, -1 where none is taken.

        `gains` are derivatives at the part's level; the items in `above` are in every set.
        """
        part, starts = self.part_of(), self.starts
        counts = self.grouped.multiplicity[self.order]
        sums = np.cumsum(gains)
        taken = np.cumsum(np.where(free, counts, 0.0))
        sums_before, taken_before = sums[starts] - gains[starts], taken[starts]
        taken_before -= np.where(free[starts], counts[starts], 0.0)
        in_part = np.add.reduceat(counts, starts)
        forced = np.cumsum(in_part) - in_part + np.add.reduceat(np.where(above, counts, 0), starts)
        values = sums + self.penalty * self.spread_of((forced - taken_before)[part] + taken)
        offered = np.where(free, values, np.inf)
        least = np.minimum.reduceat(offered, starts)
        places = np.where(offered <= least[part], np.arange(part.size), part.size)
        first = np.minimum.reduceat(places, starts)
        better = least < sums_before + self.penalty * self.spread_of(forced)
        last: IntArray = np.where(better, first, -1)
        return last

    def _cut(self, part: IntArray, above: NDArray[np.bool_], middle: IntArray) -> None:
        """Make two parts of each, in order: what is above the middle level, and the rest."""
        high_counts = np.add.reduceat(above.astype(np.int64), self.starts)
        places = self.starts + high_counts
        self._reorder(part, above, places)
        starts = np.stack([self.starts, places], axis=1).ravel()
        low = np.stack([middle, self.low], axis=1).ravel()
        high = np.stack([self.high, middle], axis=1).ravel()
        filled = np.diff(np.append(starts, self.order.size)) > 0
        self.starts, self.low, self.high = starts[filled], low[filled], high[filled]

    def _reorder(self, part: IntArray, above: NDArray[np.bool_], places: IntArray) -> None:
        """Move what is above to the front of its part; the order is the same otherwise."""
        seen: IntArray = np.cumsum(above)
        seen_before: IntArray = seen[self.starts] - above[self.starts]
        front = self.starts[part] + seen - seen_before[part] - 1
        back = places[part] + np.arange(part.size) - self.starts[part] - (seen - seen_before[part])
        order = np.empty_like(self.order)
        order[np.where(above, front, back)] = self.order
        self.order = order

    def split_off_fixed(self) -> None:
        """Split off the items that cannot be below the upper end of their part."""
        part = self.part_of()
        fixed = self.grouped.lower[self.order] >= self.levels[self.high][part]
        self._cut(part, fixed, self.high)
        # What is not fixed was given the upper end that it has; its lower end is unchanged.


class _Means:
    """Parts without limits inside them, split at their means until each is one pool."""

    def __init__(self, parts: _Parts) -> None:
        self.parts = parts
        grouped, order = parts.grouped, parts.order
        part = parts.part_of()
        self.floor, self.ceiling = parts.levels[parts.low][part], parts.levels[parts.high][part]
        self.multiplicity = grouped.multiplicity[order]
        self.counts = parts.counts_above()
        self.cut = parts.spread_of(self.counts)
        self.rising = self.multiplicity / grouped.capacity[order]
        self.is_start = np.zeros(order.size, np.bool_)
        self.is_start[parts.starts] = True

    def pools(self) -> Pools:
        """Split to the end, and return the pools."""
        places = np.flatnonzero(self.floor < self.ceiling)
        while places.size:
            places = self._split(places)
        return self._summed()

    def _split(self, places: IntArray) -> IntArray:
        """Split the parts at these places once; return the places of those that did split."""
        parts = self.parts
        starts = np.flatnonzero(self.is_start[places])
        ends = np.append(starts[1:], places.size)
        part = np.repeat(np.arange(starts.size), ends - starts)
        level = self._means(places[starts], places[ends - 1] + 1)[0]
        gains = self.rising[places] * level[part] - self.multiplicity[places] * parts.price
        values = np.cumsum(gains) + parts.penalty * self.cut[places + 1]
        before = values[starts] - gains[starts]
        before -= parts.penalty * (self.cut[places[starts] + 1] - self.cut[places[starts]])
        least = np.minimum.reduceat(values, starts)
        scale = np.maximum.reduceat(np.abs(gains), starts) + np.abs(values).max()
        is_split = least < before - _ROUNDING * scale
        is_least = values <= np.repeat(least, ends - starts)
        first = np.minimum.reduceat(np.where(is_least, np.arange(places.size), places.size), starts)
        is_split &= first + 1 < ends
        self.is_start[places[first[is_split] + 1]] = True
        still: IntArray = places[is_split[part]]
        return still

    def _means(
        self, starts: IntArray, ends: IntArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return the sizes of the parts, how many items they have, their ranks and their rises."""
        weights = self.counts[ends] - self.counts[starts]
        ranks = self.cut[ends] - self.cut[starts]
        bounds = np.stack([starts, ends], axis=1).ravel()
        rises = np.add.reduceat(np.append(self.rising, 0.0), bounds)[::2]
        level = (self.parts.price * weights - self.parts.penalty * ranks) / rises
        return level, weights, ranks, rises

    def _summed(self) -> Pools:
        starts = np.flatnonzero(self.is_start)
        ends = np.append(starts[1:], self.is_start.size)
        level, weights, ranks, rises = self._means(starts, ends)
        floor, ceiling = self.floor[starts], self.ceiling[starts]
        # A fixed part has no room between its ends.
        free = (level > floor) & (level < ceiling) & (floor < ceiling)
        pool_of = np.where(free, np.cumsum(free) - 1, -1)
        ordered = np.clip(level, floor, ceiling)
        order = self.parts.order
        sizes, pools = np.empty(order.size), np.empty(order.size, np.int64)
        sizes[order] = np.repeat(ordered, ends - starts)
        pools[order] = np.repeat(pool_of, ends - starts)
        return Pools(
            sizes=sizes,
            total=float(weights @ ordered),
            spread=float(ranks @ ordered),
            weights=weights[free],
            ranks=ranks[free],
            rises=rises[free],
            pool_of=pools,
        )
