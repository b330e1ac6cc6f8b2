"""Clusters as the solver sees them: limits, costs, and equal ones taken together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Items:
    """What is to be given sizes: every cluster with its limits and what its size costs.

    The cost of a size s is ``s^2 / (2 q)``, half of the sum of its rows' squared weights.

    Parameters
    ----------
    capacity : ndarray of shape (n_items,), float64
        q: how many rows of equal weight each stands for, above 0.
    lower, upper : ndarray of shape (n_items,), float64
        The limits of the size; ``0 <= lower <= upper``.
    """

    capacity: FloatArray
    lower: FloatArray
    upper: FloatArray

    @property
    def count(self) -> int:
        """How many items there are."""
        return self.capacity.size

    @cached_property
    def grouped(self) -> Grouped:
        """The same with equal items taken together, the largest capacity first."""
        table = np.stack([-self.capacity, self.lower, self.upper], axis=1)
        order = np.lexsort((self.upper, self.lower, -self.capacity))
        ordered = table[order]
        first = np.ones(self.count, np.bool_)
        first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
        group_of = np.empty(self.count, np.int64)
        group_of[order] = np.cumsum(first) - 1
        rows = ordered[first]
        return Grouped(
            capacity=-rows[:, 0],
            lower=rows[:, 1],
            upper=rows[:, 2],
            multiplicity=np.bincount(group_of).astype(np.float64),
            group_of=group_of,
        )

    def squares(self, sizes: FloatArray) -> float:
        """Return the sum of squared row weights: Kish's sample size is total^2 over it."""
        return float((sizes**2 / self.capacity).sum())


@dataclass(frozen=True, eq=False)
class Grouped:
    """Distinct items, largest capacity first, and how many of each there are.

    Equal items get equal sizes: the cost is strictly convex and knows no names.
    """

    capacity: FloatArray
    lower: FloatArray
    upper: FloatArray
    multiplicity: FloatArray
    group_of: IntArray

    @cached_property
    def levels(self) -> FloatArray:
        """Every size at which an item meets a limit, ascending, between two that are beyond all."""
        ends = np.unique(np.concatenate([self.lower, self.upper]))
        return np.concatenate([[-1.0], ends[np.isfinite(ends)], [np.inf]])

    @cached_property
    def lower_level(self) -> IntArray:
        """Where in `levels` the lower limit of each group is."""
        return np.searchsorted(self.levels, self.lower)

    @cached_property
    def upper_level(self) -> IntArray:
        """Where in `levels` the upper limit of each group is."""
        return np.searchsorted(self.levels, self.upper)

    @cached_property
    def item_count(self) -> float:
        """How many items there are in all groups."""
        return float(self.multiplicity.sum())

    def cut(self, count: FloatArray) -> FloatArray:
        """Return how many differences, over n, a level cuts that has so many items above it."""
        return count * ((self.item_count - count) / self.item_count)
