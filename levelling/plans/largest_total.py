"""The most whole rows that clusters can have for a target to be met.

Within limits the most level sizes of a total are one level cut off at the limits, in every order
that prefers even sizes (they are majorised by all others). Along the totals the Gini coefficient of
those sizes falls to its least and rises from there, for the spread of sizes is convex: a total can
be too small for a target, because of floors and pins, as well as too large.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor

import numpy as np
from numpy.typing import NDArray

from levelling.measures import compute_gini_coefficient
from levelling.solver import Problem, Solution, solve
from levelling.solver.limits import limits_of
from levelling.targets import Target, TargetKind

_ROUNDING = 1e-9
_SAME_GINI = 1e-13  # well below what the solver takes for rounding
_STEPS_DOWN = 8  # from a total whose shares are met but for a row to one where solving says so


def solve_largest(problem: Problem) -> tuple[Problem, Solution]:
    """Return the problem with the largest total for which its target is met, and its solution.

    Parameters
    ----------
    problem : Problem
        With whole numbers, and without a total or costs.

    Returns
    -------
    problem : Problem
        Where no total meets a flatness or Gini coefficient, with the largest of those that come
        nearest; where none meets shares, as it was.
    solution : Solution
        `unmet` says so where the target is not met.
    """
    first = solve(problem)
    if _keeps_target(problem.target, first):
        return problem, first
    shares = problem.shares()
    most = int(first.total)
    totals = _level_totals(problem, most) if shares is None else _totals(problem, shares, most)
    found: tuple[Problem, Solution] | None = None
    for total in totals:
        trial = replace(problem, total=float(total))
        solution = solve(trial)
        if _keeps_target(problem.target, solution):
            return trial, solution
        if found is None and shares is None:
            found = trial, solution
    return found or (problem, first)


def _keeps_target(target: Target, solution: Solution) -> bool:
    """Whether the whole rows themselves are what was asked for."""
    if not solution.is_met or target.value is None:
        return solution.is_met
    if target.kind is TargetKind.FLATNESS:
        return solution.flatness >= target.value - _ROUNDING
    if target.kind is TargetKind.GINI:
        return solution.gini <= target.value + _ROUNDING
    return True


def _totals(problem: Problem, shares: NDArray[np.float64], most: int) -> list[int]:
    """Return totals for shares, the largest that meets all of them exactly first.

    Whole rows are met shares up to one row more or less, so others may do where that does not.
    """
    items, asked = limits_of(problem).items, shares > 0
    exact = float((items.upper[asked] / shares[asked]).min(initial=np.inf))
    near = float(((items.upper[asked] + 1) / shares[asked]).min(initial=np.inf))
    if not np.isfinite(near):
        return []
    largest = floor(exact * float(shares.sum()) + _ROUNDING)
    rounded = floor(float(np.clip(near * shares, items.lower, items.upper).sum()) + _ROUNDING)
    totals = [largest, *range(rounded, rounded - _STEPS_DOWN, -1)]
    return [min(one, most) for one in totals if one > 0]


def _level_totals(problem: Problem, most: int) -> list[int]:
    """Return the largest total whose most level sizes are level enough, or come nearest to it."""
    items, count = limits_of(problem).items, problem.cluster_ids.size
    wanted = problem.target.value or 0.0
    if problem.target.kind is TargetKind.FLATNESS:
        wanted = (1 - wanted) * (count - 1) / count
    levels = _Levels(items.lower, items.upper)
    top = levels.highest(most)
    flattest = levels.flattest(top)
    nearest = max(wanted, levels.gini(flattest))
    level = levels.last(flattest, top, nearest)
    totals = (levels.extend(level, gini, most) for gini in (wanted, nearest))
    found = [one for one in totals if one]
    return [total - step for total in found[:1] for step in range(_STEPS_DOWN) if total > step]


@dataclass(frozen=True, eq=False)
class _Levels:
    """The most level sizes within whole limits, by the level that is cut off at them."""

    lower: NDArray[np.float64]
    upper: NDArray[np.float64]

    def sizes(self, level: int) -> NDArray[np.float64]:
        sizes: NDArray[np.float64] = np.clip(float(level), self.lower, self.upper)
        return sizes

    def gini(self, level: int) -> float:
        """Return the Gini coefficient; 1, the worst there is, of no rows at all."""
        sizes = self.sizes(level)
        return compute_gini_coefficient(sizes) if sizes.any() else 1.0

    def highest(self, most: int) -> int:
        """Return the highest level of at most so many rows."""
        low, high = 0, int(self.upper.max(initial=0.0))
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.sizes(middle).sum() <= most else (low, middle - 1)
        return low

    def flattest(self, top: int) -> int:
        """Return the highest of the most level ones up to a level.

        One of those at which a size meets a limit, for between them the coefficient rises or falls.
        """
        ends = np.unique(np.concatenate([self.lower, self.upper, [1.0]]))
        ends = np.append(ends[ends < top], top).astype(np.int64)
        # Where sizes are the same at two ends the search would not know which way to go.
        ends = ends[np.append(np.diff([self.sizes(one).sum() for one in ends]) > 0, True)]
        low, high = 0, ends.size - 1
        while low < high:
            middle = (low + high) // 2
            falls = self.gini(int(ends[middle + 1])) <= self.gini(int(ends[middle])) + _SAME_GINI
            low, high = (middle + 1, high) if falls else (low, middle)
        return int(ends[low])

    def last(self, flattest: int, top: int, gini: float) -> int:
        """Return the highest level, from the most level one on, with at most a coefficient."""
        low, high = flattest, top
        while low < high:
            middle = (low + high + 1) // 2
            is_level = self.gini(middle) <= gini + _SAME_GINI
            low, high = (middle, high) if is_level else (low, middle - 1)
        return low

    def extend(self, level: int, gini: float, most: int) -> int | None:
        """Return the largest total from a level to the next; None where none is level enough."""
        sizes = self.sizes(level)
        total, count = int(sizes.sum()), sizes.size
        free = int(np.count_nonzero(self.sizes(level + 1) > sizes))
        more = np.arange(min(free, most - total) + 1)
        start, end = self._spread(level), self._spread(level + 1)
        # Of the free sizes some are a row larger; against all others they move as one.
        spreads = start + (end - start) * more / max(free, 1) + more * (free - more) / count
        is_level = spreads <= (gini + _SAME_GINI) * (total + more)
        enough = more[is_level & (total + more > 0)]
        return total + int(enough[-1]) if enough.size else None

    def _spread(self, level: int) -> float:
        return compute_gini_coefficient(self.sizes(level)) * float(self.sizes(level).sum())
