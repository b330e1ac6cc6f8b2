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

from levelling.solver.items import FloatArray, Grouped, IntArray
from levelling.solver.parts import Parts, split_at_limits

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
    return _Means(split_at_limits(grouped, price, penalty), price, penalty).pools()


class _Means:
    """Parts without limits inside them, split at their means until each is one pool."""

    def __init__(self, parts: Parts, price: float, penalty: float) -> None:
        self.order, self.price, self.penalty = parts.members, price, penalty
        grouped, part = parts.grouped, parts.part
        self.floor, self.ceiling = grouped.levels[parts.low][part], grouped.levels[parts.high][part]
        self.multiplicity = parts.counts
        # How many items stand before each place, and all at the end.
        self.counts = np.append(0.0, np.cumsum(self.multiplicity))
        self.cut = grouped.cut(self.counts)
        self.rising = self.multiplicity / grouped.capacity[self.order]
        self.is_start = np.zeros(self.order.size, np.bool_)
        self.is_start[parts.starts] = True

    def pools(self) -> Pools:
        """Split to the end, and return the pools."""
        places = np.flatnonzero(self.floor < self.ceiling)
        while places.size:
            places = self._split(places)
        return self._summed()

    def _split(self, places: IntArray) -> IntArray:
        """Split the parts at these places once; return the places of those that did split."""
        starts = np.flatnonzero(self.is_start[places])
        ends = np.append(starts[1:], places.size)
        part = np.repeat(np.arange(starts.size), ends - starts)
        level = self._means(places[starts], places[ends - 1] + 1)[0]
        gains = self.rising[places] * level[part] - self.multiplicity[places] * self.price
        values = np.cumsum(gains) + self.penalty * self.cut[places + 1]
        before = values[starts] - gains[starts]
        before -= self.penalty * (self.cut[places[starts] + 1] - self.cut[places[starts]])
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
        level = (self.price * weights - self.penalty * ranks) / rises
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
        order = self.order
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
