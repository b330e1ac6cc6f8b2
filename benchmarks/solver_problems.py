"""Random problems for the solver, and what must always hold of their solutions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from levelling.measures import flatness
from levelling.solver import Problem, Solution
from levelling.solver.frontier import spread_of
from levelling.solver.limits import limits_of
from levelling.targets import Target, TargetKind

FloatArray = NDArray[np.float64]


def random_problem(chance: np.random.Generator, *, most_clusters: int = 40) -> Problem:
    """Return clusters with any target, total and limits; not all can be met."""
    count = int(chance.integers(1, most_clusters + 1))
    rows = np.floor(chance.lognormal(3, chance.uniform(0.1, 2), count)).astype(np.int64)
    whole = bool(chance.random() < 0.5)
    base, sample = (None, None) if whole or chance.random() < 0.7 else _weighted(chance, rows)
    costs = chance.uniform(1, 50, count) if whole and chance.random() < 0.3 else None
    total = None
    if chance.random() < 0.6 and rows.sum() > 0:
        total = float(np.ceil(rows.sum() * chance.uniform(0.05, 1.3)))
        total = total if costs is None else total * 20
    lower, upper = _limits(chance, rows)
    return Problem(
        cluster_ids=np.arange(count),
        row_counts=rows,
        target=random_target(chance, count),
        total=total,
        max_repeat=float(chance.uniform(1, 6)) if chance.random() < 0.6 else None,
        lower=lower,
        upper=upper,
        row_costs=costs,
        whole_numbers=whole,
        base_sizes=base,
        sample_sizes=sample,
    )


def random_target(chance: np.random.Generator, cluster_count: int) -> Target:
    """Return a target of any kind; flatness and Gini come most often."""
    kind = chance.choice([*TargetKind, TargetKind.FLATNESS, TargetKind.GINI])
    if kind == TargetKind.CUSTOM:
        named = chance.permutation(cluster_count)[: chance.integers(1, cluster_count + 1)]
        return Target(TargetKind.CUSTOM, shares={int(one): chance.uniform(0.1, 9) for one in named})
    has_value = kind in (TargetKind.FLATNESS, TargetKind.GINI, TargetKind.TEMPERED)
    return Target(TargetKind(kind), float(chance.random()) if has_value else None)


def _weighted(
    chance: np.random.Generator, rows: NDArray[np.int64]
) -> tuple[FloatArray, FloatArray]:
    """Return the sums of rows' own weights and their sample sizes, as near-duplicates have them."""
    base = rows * chance.uniform(0.3, 1, rows.size)
    return base, np.minimum(base * chance.uniform(1, 1.2, rows.size), rows)


def _limits(
    chance: np.random.Generator, rows: NDArray[np.int64]
) -> tuple[FloatArray | None, FloatArray | None]:
    if chance.random() < 0.4:
        return None, None
    some = chance.random(rows.size) < chance.random()
    lower = np.where(some, np.floor(rows * chance.uniform(0, 1.5, rows.size)), 0.0)
    some = chance.random(rows.size) < chance.random()
    upper = np.where(some, lower + np.floor(rows * chance.uniform(0, 3, rows.size)), np.inf)
    if chance.random() < 0.3:
        upper = np.where(chance.random(rows.size) < 0.2, lower, upper)
    return lower, upper


def squares_of(problem: Problem, sizes: FloatArray) -> float:
    """Return the sum of squared weights over rows, or copies, before rounding."""
    capacity = limits_of(problem).items.capacity
    squares = sizes**2 / capacity
    if problem.whole_numbers:
        squares = np.maximum(squares, sizes)
    return float(squares.sum())


def broken_promises(problem: Problem, solution: Solution) -> list[str]:
    """Return what a solution breaks of what must always hold; empty when nothing."""
    limits = limits_of(problem)
    items, sizes = limits.items, solution.sizes
    slack = 1e-9 * max(1.0, float(sizes.sum()))
    broken = []
    if not np.isfinite(sizes).all() or (sizes < 0).any():
        broken.append("a size is negative or not finite")
    if (sizes < items.lower - slack).any() or (sizes > items.upper + slack).any():
        broken.append("a limit is not kept")
    if problem.whole_numbers and (solution.counts is None or (solution.counts != sizes).any()):
        broken.append("counts are not whole or not the sizes")
    if solution.is_met:
        broken += _broken_when_met(problem, solution, slack)
    return broken


def _broken_when_met(problem: Problem, solution: Solution, slack: float) -> list[str]:
    broken = []
    if problem.total is not None:
        reached = solution.total if problem.row_costs is None else solution.cost or 0.0
        wanted = problem.total
        if problem.row_costs is not None:
            if reached > wanted * (1 + 1e-9):
                broken.append("the cost is more than was asked for")
        elif abs(reached - (np.floor(wanted + 1e-9) if problem.whole_numbers else wanted)) > slack:
            broken.append("the total is not the one that was asked for")
    target, value = problem.target, problem.target.value or 0.0
    if target.kind is TargetKind.FLATNESS and solution.flatness < value - 1e-9:
        broken.append("not flat enough")
    if target.kind is TargetKind.GINI and solution.gini > value + 1e-9:
        broken.append("not level enough")
    if broken and problem.whole_numbers and _is_flattest(problem, solution):
        broken = [one for one in broken if "enough" not in one]
    return broken


def _is_flattest(problem: Problem, solution: Solution) -> bool:
    """Whether no whole sizes with this total are flatter: by levelling up row by row."""
    items = limits_of(problem).items
    sizes = items.lower.copy()
    missing = round(solution.total - float(sizes.sum()))
    while missing > 0:
        open_places = np.flatnonzero(sizes < items.upper)
        lowest = sizes[open_places].min()
        places = open_places[sizes[open_places] == lowest][:missing]
        sizes[places] += 1
        missing -= places.size
    return abs(flatness(sizes) - solution.flatness) < 1e-12 or spread_of(sizes) >= spread_of(
        solution.sizes
    )
