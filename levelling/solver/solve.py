"""From a target, a total and limits to the sizes that meet them and cost least.

A cluster of n rows with the effective size s has rows of weight s / n, so the squared weights of
all rows sum to ``sum(s_k^2 / n_k)``, and at a fixed total T Kish's effective sample size is ``T^2``
over that: the largest sample size is the least of a strictly convex, separable quadratic. "At least
this flat" is convex too, at a fixed total: ``sum_{i<j} |s_i - s_j| <= gini K T``. With limits on
every size this is a convex programme with one optimum, which `levelling.solver.prices` finds to
rounding. Where a shape is asked for instead, equal or tempered sizes or given shares, the sizes are
the shares scaled to the total within the limits: `levelling.solver.fill`.

Noise and other rows that keep their weights add a constant to the total and to the squares, so they
do not move the optimum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from levelling.solver.fill import fill_to_total
from levelling.solver.frontier import Frontier, spread_of
from levelling.solver.items import FloatArray
from levelling.solver.limits import Limits, limits_of
from levelling.solver.problem import Problem
from levelling.solver.row_frontier import RowFrontier, make_frontier
from levelling.solver.solution import Solution, describe, name_clusters
from levelling.solver.totals import reachable_total, total_of_cost
from levelling.solver.whole import round_at_spread, round_sizes
from levelling.targets import TargetKind

_SAME = 1e-9
_MOST_TRIALS = 100


@dataclass(frozen=True, eq=False)
class _Found:
    """Sizes of one total, and what they leave unmet."""

    sizes: FloatArray
    unmet: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def solve(problem: Problem) -> Solution:
    """Return the sizes that meet a target within limits with the largest effective sample size.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    Solution
        When not everything can be met, the sizes that come nearest: the nearest total, and at it
        the flattest, or the shape cut off at the limits. With ``row_costs`` they are the sizes of
        the total whose costs sum to what is wanted, so that long rows and short ones are treated
        alike. With ``whole_numbers`` every count is within a row of the sizes that are best without
        rounding, within the limits, sums to the whole total, or to at most the costs, and is as
        flat as asked whenever whole counts can be.
    """
    limits = limits_of(problem)
    if limits.greatest_total <= 0 or problem.cluster_ids.size == 0:
        return _without_rows(problem, limits)
    total, unmet = reachable_total(problem, limits)
    if problem.row_costs is not None and problem.total is not None:
        total = total_of_cost(problem, limits, lambda one: _at_total(problem, limits, one).sizes)
    if problem.whole_numbers:
        found = _whole_rows(problem, limits, total)
    else:
        found = _at_total(problem, limits, total)
    unmet = (*_overruled(problem, limits), *unmet, *found.unmet)
    return describe(problem, limits, found.sizes, unmet, found.notes)


def _without_rows(problem: Problem, limits: Limits) -> Solution:
    unmet = ("There is no row to level: every cluster is empty or held at 0.",)
    wanted = problem.total is not None or problem.cluster_ids.size > 0
    return describe(problem, limits, np.zeros(problem.cluster_ids.size), unmet if wanted else ())


def _overruled(problem: Problem, limits: Limits) -> tuple[str, ...]:
    over = limits.overruled & (problem.sizes_at_one > 0)
    if not over.any() or problem.lower is None:
        return ()
    base = problem.sizes_at_one
    needed = float((problem.lower[over] / base[over]).max())
    return (
        f"{name_clusters(problem.cluster_ids, over)}: a size that is asked for needs its rows"
        f" repeated up to {needed:.3g} times; raise max_repeat, or ask for less.",
    )


def _at_total(problem: Problem, limits: Limits, total: float) -> _Found:
    """Return the best sizes with a total that is within reach."""
    shares = problem.shares()
    if shares is not None:
        return _of_shape(problem, limits, shares, total)
    if total <= 0:
        return _Found(limits.items.lower)
    frontier = make_frontier(limits.items, total, whole_numbers=problem.whole_numbers)
    if problem.target.kind is TargetKind.AUTO:
        return _Found(frontier.best_step())
    spread = _wanted_spread(problem, total)
    unmet = _too_flat(problem, limits, frontier, total)
    return _Found(frontier.at(spread), unmet)


def _wanted_spread(problem: Problem, total: float) -> float:
    """Return the spread of the flatness or the Gini coefficient that is asked for."""
    value = problem.target.value or 0.0
    if problem.target.kind is TargetKind.GINI:
        return value * total
    count = problem.cluster_ids.size
    return (1 - value) * total * (count - 1) / count


def _too_flat(
    problem: Problem, limits: Limits, frontier: Frontier | RowFrontier, total: float
) -> tuple[str, ...]:
    if _wanted_spread(problem, total) >= frontier.least_spread - _SAME * total:
        return ()
    level = frontier.at(frontier.least_spread)
    gini = frontier.least_spread / total
    if problem.target.kind is TargetKind.GINI:
        reached = f"a Gini coefficient of {gini:.4g}"
    else:
        count = problem.cluster_ids.size
        reached = f"a flatness of {1 - gini * count / (count - 1):.4g}"
    return (
        f"The limits allow no better than {reached}, not {problem.target.value:.4g}."
        f" {_what_would_help(problem, limits, level)}",
    )


def _what_would_help(problem: Problem, limits: Limits, level: FloatArray) -> str:
    """Return which limits keep sizes apart at their most level, and what would loosen them."""
    items = limits.items
    middle = float(np.median(level))
    small = (level >= items.upper - _SAME * np.maximum(level, 1)) & (level < middle)
    if (small & limits.by_repeats & (problem.sizes_at_one > 0)).any():
        return "The small clusters have too few rows: raise max_repeat, or ask for fewer rows."
    if (small & (problem.sizes_at_one == 0)).any():
        return "Clusters without a row stay empty: leave them out, or choose a coarser layer."
    return "Loosen the pins, floors or ceilings that keep clusters apart."


def _of_shape(problem: Problem, limits: Limits, shares: FloatArray, total: float) -> _Found:
    items = limits.items
    sizes = fill_to_total(shares, items.lower, items.upper, total)
    free = (sizes > items.lower) & (sizes < items.upper) & (shares > 0)
    factor = float((sizes[free] / shares[free]).max()) if free.any() else total / shares.sum()
    tolerance = 1.0 if problem.whole_numbers else _SAME * max(total, 1.0)
    off = np.abs(sizes - factor * shares) > tolerance
    if not off.any():
        return _Found(sizes)
    message = (
        f"{name_clusters(problem.cluster_ids, off)} cannot have the share that is asked for; the"
        " others keep their proportions. Raise max_repeat, loosen pins, floors or ceilings, or ask"
        " for fewer rows."
    )
    return _Found(sizes, (message,))


def _whole_rows(problem: Problem, limits: Limits, total: float) -> _Found:
    """Return whole counts; with costs, of the largest total that does not cost too much."""
    rows = int(np.floor(total + _SAME * max(total, 1.0)))
    rows = max(rows, int(np.ceil(limits.least_total - _SAME)))
    found = _rounded(problem, limits, rows)
    if problem.row_costs is None or problem.total is None:
        return found
    for _ in range(_MOST_TRIALS):
        excess = float(problem.row_costs @ found.sizes) - problem.total
        if excess <= 0 or rows <= limits.least_total:
            break
        rows -= max(1, int(excess / float(problem.row_costs.max())))
        rows = max(rows, int(limits.least_total))
        found = _rounded(problem, limits, rows)
    return found


def _rounded(problem: Problem, limits: Limits, rows: int) -> _Found:
    items, total = limits.items, float(rows)
    if problem.target.kind not in (TargetKind.FLATNESS, TargetKind.GINI) or rows <= 0:
        found = _at_total(problem, limits, total)
        counts = round_sizes(found.sizes, items, rows, level=False)
        return replace(found, sizes=counts.astype(np.float64))
    frontier, spread = RowFrontier(items, total), _wanted_spread(problem, total)
    sizes = round_at_spread(frontier, items, rows, spread).astype(np.float64)
    unmet = _too_flat(problem, limits, frontier, total)
    if not unmet and spread_of(sizes) > spread + _SAME * rows:
        return _Found(sizes, notes=("Whole rows cannot be any flatter than this.",))
    return _Found(sizes, unmet)
