"""Groups cut into parts at levels of size, until no limit of theirs lies inside a part."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from levelling.solver.items import FloatArray, Grouped, IntArray


@dataclass(frozen=True, eq=False)
class Parts:
    """Groups cut into parts, each of sizes between two levels, and none between two others'.

    Parameters
    ----------
    grouped : Grouped
    members : ndarray of shape (n_members,), int64
        The groups of the parts, part by part, and in a part by number.
    starts : ndarray of shape (n_parts,), int64
        Where a part begins in `members`.
    before : ndarray of shape (n_parts,), float64
        How many items have greater sizes than those of a part.
    low, high : ndarray of shape (n_parts,), int64
        Its sizes are above ``levels[low]`` and at most ``levels[high]``.
    """

    grouped: Grouped
    members: IntArray
    starts: IntArray
    before: FloatArray
    low: IntArray
    high: IntArray

    @cached_property
    def part(self) -> IntArray:
        """The part of each member."""
        return np.repeat(np.arange(self.starts.size), self.lengths)

    @cached_property
    def lengths(self) -> IntArray:
        """How many members each part has."""
        lengths: IntArray = np.diff(np.append(self.starts, self.members.size))
        return lengths

    @cached_property
    def counts(self) -> FloatArray:
        """How many items each member stands for."""
        return self.grouped.multiplicity[self.members]

    def only(self, wanted: NDArray[np.bool_]) -> Parts:
        """Return some of the parts."""
        lengths = self.lengths[wanted]
        return Parts(
            self.grouped,
            self.members[np.repeat(wanted, self.lengths)],
            np.cumsum(lengths) - lengths,
            self.before[wanted],
            self.low[wanted],
            self.high[wanted],
        )

    def middles(self) -> tuple[NDArray[np.bool_], IntArray]:
        """Return which parts have a limit of their members inside, and the middle one of those."""
        grouped, low, high = self.grouped, self.low[self.part], self.high[self.part]
        lower, upper = grouped.lower_level[self.members], grouped.upper_level[self.members]
        beyond = grouped.levels.size
        first = np.minimum(
            np.where(lower > low, lower, beyond), np.where(upper > low, upper, beyond)
        )
        last = np.maximum(np.where(lower < high, lower, -1), np.where(upper < high, upper, -1))
        least = np.minimum.reduceat(first, self.starts)
        most = np.maximum.reduceat(last, self.starts)
        return least < self.high, (least + most) // 2

    def split(self, above: NDArray[np.bool_], middle: IntArray) -> Parts:
        """Return two parts for each: the members above its middle level, and the others."""
        order = np.argsort(2 * self.part + ~above, kind="stable")
        upper = np.add.reduceat(above.astype(np.int64), self.starts)
        lengths = np.stack([upper, self.lengths - upper], axis=1).ravel()
        moved = np.add.reduceat(np.where(above, self.counts, 0.0), self.starts)
        filled = lengths > 0
        return Parts(
            self.grouped,
            self.members[order],
            (np.cumsum(lengths) - lengths)[filled],
            np.stack([self.before, self.before + moved], axis=1).ravel()[filled],
            np.stack([middle, self.low], axis=1).ravel()[filled],
            np.stack([self.high, middle], axis=1).ravel()[filled],
        )


def split_at_limits(grouped: Grouped, price: float, penalty: float) -> Parts:
    """Return parts without limits inside, the greatest sizes first."""
    everything = np.arange(grouped.capacity.size)
    one = np.zeros(1, np.int64)
    parts = Parts(grouped, everything, one, np.zeros(1), one, one + grouped.levels.size - 1)
    done = []
    while parts.starts.size:
        busy, middle = parts.middles()
        if not busy.all():
            done.append(parts.only(~busy))
            parts, middle = parts.only(busy), middle[busy]
        if parts.starts.size:
            parts = parts.split(_above(parts, middle, price, penalty), middle)
    return _split_off_fixed(_in_order(done))


def _in_order(done: list[Parts]) -> Parts:
    """Return all parts as one, the greatest sizes first."""
    before = np.concatenate([one.before for one in done])
    lengths = np.concatenate([one.lengths for one in done])
    order = np.argsort(before, kind="stable")
    members = np.concatenate([one.members for one in done])
    rank = np.empty(order.size, np.int64)
    rank[order] = np.arange(order.size)
    return Parts(
        done[0].grouped,
        members[np.argsort(np.repeat(rank, lengths), kind="stable")],
        np.cumsum(lengths[order]) - lengths[order],
        before[order],
        np.concatenate([one.low for one in done])[order],
        np.concatenate([one.high for one in done])[order],
    )


def _split_off_fixed(parts: Parts) -> Parts:
    """Split off the items that cannot be below the upper end of their part."""
    fixed = parts.grouped.lower_level[parts.members] >= parts.high[parts.part]
    return parts.split(fixed, parts.high)


def _above(parts: Parts, middle: IntArray, price: float, penalty: float) -> NDArray[np.bool_]:
    """Return which members are above their part's middle level: the smallest best set."""
    grouped, part, starts = parts.grouped, parts.part, parts.starts
    at = middle[part]
    above = grouped.lower_level[parts.members] > at
    free = ~above & (grouped.upper_level[parts.members] > at)
    level = grouped.levels[middle][part]
    gains = np.where(free, parts.counts * (level / grouped.capacity[parts.members] - price), 0.0)
    sums, taken = np.cumsum(gains), np.cumsum(np.where(free, parts.counts, 0.0))
    # Of the parts before, and so not of this one.
    sums_before = np.append(0.0, sums)[starts]
    taken_before = np.append(0.0, taken)[starts]
    forced = parts.before + np.add.reduceat(np.where(above, parts.counts, 0.0), starts)
    values = sums + penalty * grouped.cut((forced - taken_before)[part] + taken)
    offered = np.where(free, values, np.inf)
    least = np.minimum.reduceat(offered, starts)
    better = least < sums_before + penalty * grouped.cut(forced)
    places = np.where(offered <= least[part], np.arange(part.size), part.size)
    last = np.where(better, np.minimum.reduceat(places, starts), -1)
    taken_too: NDArray[np.bool_] = above | (free & (np.arange(part.size) <= last[part]))
    return taken_too
