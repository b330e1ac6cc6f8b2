"""Random problems for the solver, a generic convex solver's answer, and what must always hold."""

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


def least_squares(problem: Problem, total: float, spread: float) -> FloatArray | None:
    """Return a generic convex solver's cheapest sizes with a total and at most a spread.

    Clarabel's interior point method on the programme as it is written down: a variable for each
    size, one for each difference of two and, where rows are chosen, one for each cost.

    Returns
    -------
    ndarray of shape (n_clusters,), float64, or None
        None when it does not reach its tolerance.

    References
    ----------
    Goulart, P. J. and Chen, Y. (2024). Clarabel: an interior-point solver for conic programs with
    quadratic objectives. arXiv:2405.12762.
    """
    import clarabel
    from scipy import sparse

    items = limits_of(problem).items
    count, scale = items.count, items.count / total
    first, second = np.triu_indices(count, 1)
    pairs, costs = first.size, count if problem.whole_numbers else 0
    size, gap, paid = sparse.eye(count), sparse.eye(pairs), sparse.eye(costs)
    apart = sparse.csr_matrix((pairs, count))
    if pairs:
        ones, places = np.ones(pairs), np.arange(pairs)
        apart = sparse.csr_matrix((ones, (places, first)), (pairs, count))
        apart = apart - sparse.csr_matrix((ones, (places, second)), (pairs, count))
    capacity, lower = items.capacity * scale, items.lower * scale
    upper = np.minimum(items.upper * scale, 10.0 * count)
    blocks = [
        [sparse.csr_matrix(np.ones((1, count))), None, None],
        [-size, sparse.csr_matrix((count, pairs)), sparse.csr_matrix((count, costs))],
        [size, None, None],
        [apart, -gap, None],
        [-apart, -gap, None],
        [None, sparse.csr_matrix(np.ones((1, pairs))), None] if pairs else None,
        [size, None, -paid] if costs else None,
    ]
    matrix = sparse.bmat([row for row in blocks if row is not None], format="csc")
    right = [[float(count)], -lower, upper, np.zeros(2 * pairs)]
    right += [[spread * scale * count]] if pairs else []
    right += [np.zeros(costs)] if costs else []
    cones = [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(matrix.shape[0] - 1)]
    quadratic = np.zeros(count + pairs + costs)
    linear = np.zeros(count + pairs + costs)
    if costs:
        # c^2 / n <= p as a second-order cone: |(2 c, n - p)| <= n + p.
        cone_rows, cone_right = _paid_cones(capacity, pairs)
        matrix = sparse.vstack([matrix, cone_rows], format="csc")
        right.append(cone_right)
        cones += [clarabel.SecondOrderConeT(3)] * count
        linear[count + pairs :] = 1.0
    else:
        quadratic[:count] = 2.0 / capacity
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-10
    solver = clarabel.DefaultSolver(
        sparse.diags(quadratic, format="csc"),
        linear,
        matrix,
        np.concatenate([np.asarray(part, np.float64) for part in right]),
        cones,
        settings,
    )
    solved = solver.solve()
    if str(solved.status) != "Solved":
        return None
    return np.array(solved.x[:count]) / scale


def _paid_cones(capacity: FloatArray, pairs: int) -> tuple[object, FloatArray]:
    from scipy import sparse

    count = capacity.size
    places = np.arange(count)
    size_columns, paid_columns = places, count + pairs + places
    rows = np.concatenate([3 * places, 3 * places + 1, 3 * places + 2])
    columns = np.concatenate([paid_columns, size_columns, paid_columns])
    values = np.concatenate([-np.ones(count), -2 * np.ones(count), np.ones(count)])
    matrix = sparse.csr_matrix((values, (rows, columns)), (3 * count, 2 * count + pairs))
    right = np.stack([capacity, np.zeros(count), capacity], axis=1).ravel()
    return matrix, right


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
