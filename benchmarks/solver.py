"""The solver against a generic convex solver, against its promises, and against the clock.

Optimum: on random problems, the sum of squared weights of the sizes before they are rounded, by
this solver and by Clarabel, an interior point method, at the same total and spread; the figure is
the largest relative excess over Clarabel's. Rounding: how much whole counts lose of the effective
sample size. Promises: on random problems with targets of every kind, with and without whole
numbers, how many solutions break a limit, a total or a flatness. Time: processor time of 5,000
clusters; of 50 for the generic solver, whose programme has a variable for each pair of clusters.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.convex import least_squares
from benchmarks.report import Figure, Report, make_parser, median_figure
from benchmarks.solver_problems import (
    FloatArray,
    broken_promises,
    random_problem,
    squares_of,
)
from levelling.solver import Problem, level_curve, solve
from levelling.solver.limits import limits_of
from levelling.solver.row_frontier import make_frontier
from levelling.targets import Target, TargetKind

CLUSTER_COUNT = 5_000
SMALL_COUNT = 50


def main() -> None:
    """Run the benchmark."""
    parser = make_parser(__doc__)
    parser.add_argument("--cases", type=int, default=1_000, metavar="N", help="optima, %(default)s")
    parser.add_argument("--properties", type=int, default=10_000, metavar="N", help="%(default)s")
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    options = parser.parse_args()
    report = Report("solver", vars(options))
    _optima(report, options.cases, options.seed)
    _promises(report, options.properties, options.seed)
    _times(report, options.repeat)
    report.finish(options.json)


def optimum(problem: Problem, chance: np.random.Generator) -> tuple[float, FloatArray] | None:
    """Return the relative excess over the generic optimum, and the sizes; None where no choice."""
    limits = limits_of(problem)
    least, most = limits.least_total, min(limits.greatest_total, 3.0 * problem.row_counts.sum())
    if problem.cluster_ids.size < 2 or most - least < 1:
        return None
    total = float(chance.uniform(least, most))
    frontier = make_frontier(limits.items, total, whole_numbers=problem.whole_numbers)
    low, high = frontier.least_spread, frontier.most_spread
    if high - low < 1e-6 * total:
        return None
    spread = float(chance.uniform(low + 1e-3 * (high - low), high))
    sizes = frontier.at(spread)
    generic = least_squares(problem, total, spread)
    if generic is None:
        return None
    own, other = squares_of(problem, sizes), squares_of(problem, generic)
    return own / other - 1, sizes


def _optima(report: Report, cases: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    excesses: dict[bool, list[float]] = {False: [], True: []}
    while sum(map(len, excesses.values())) < cases:
        problem = random_problem(chance)
        found = optimum(problem, chance)
        if found is not None:
            excesses[problem.whole_numbers].append(found[0])
    for whole, name in ((False, "weights"), (True, "counts before rounding")):
        values = np.array(excesses[whole])
        report.add(
            Figure(f"excess over the optimum, {values.size} {name}", values.max(), "of 1", 1e-6)
        )


def _promises(report: Report, cases: int, seed: int) -> None:
    chance = np.random.default_rng(seed + 1)
    broken = unmet = 0
    losses: list[float] = []
    for _ in range(cases):
        problem = random_problem(chance)
        solution = solve(problem)
        broken += bool(broken_promises(problem, solution))
        unmet += not solution.is_met
        if problem.whole_numbers and problem.target.value is not None and solution.is_met:
            losses.append(rounding_loss(problem, solution.total, solution.effective_sample_size))
    report.add(Figure(f"broken promises in {cases:,} problems", broken, "problems", 0.0))
    report.add(Figure("of which cannot be met", unmet, "problems"))
    loss = np.array(losses)
    report.add(Figure("sample size lost by rounding, mean", 100 * loss.mean(), "%"))
    high = 100 * float(np.quantile(loss, 0.99))
    report.add(Figure("sample size lost by rounding, 99 of 100 below", high, "%"))


def rounding_loss(problem: Problem, total: float, sample_size: float) -> float:
    """Return the share of the effective sample size that whole counts lose, at their total."""
    if problem.target.kind not in (TargetKind.FLATNESS, TargetKind.GINI) or total <= 0:
        return 0.0
    frontier = make_frontier(limits_of(problem).items, total, whole_numbers=True)
    count = problem.cluster_ids.size
    value = problem.target.value or 0.0
    gini = value if problem.target.kind is TargetKind.GINI else (1 - value) * (count - 1) / count
    best = squares_of(problem, frontier.at(gini * total))
    return max(0.0, 1 - sample_size / (total**2 / best))


def _times(report: Report, repeat: int) -> None:
    chance = np.random.default_rng(0)
    sizes = {
        "Zipf": np.floor(20_000 / np.arange(1, CLUSTER_COUNT + 1) ** 0.9 + 5).astype(np.int64),
        "all different": chance.permutation(np.arange(1, CLUSTER_COUNT + 1) * 3),
    }
    for shape, rows in sizes.items():
        for name, problem in _problems(rows).items():
            times = _processor_times(partial(solve, problem), repeat)
            report.add(median_figure(f"{name}, {shape}", times, "ms", 50.0))
        curve = _processor_times(partial(level_curve, Problem(np.arange(rows.size), rows)), 1)
        report.add(median_figure(f"curve of 21 steps, {shape}", curve, "ms"))
    _against_generic(report, repeat)


def _problems(rows: NDArray[np.int64]) -> dict[str, Problem]:
    ids, chance = np.arange(rows.size), np.random.default_rng(1)
    flat = Target(TargetKind.FLATNESS, 0.8)
    lower = np.minimum(rows, 3.0) * chance.uniform(0, 1, rows.size)
    upper = rows * chance.uniform(1, 4, rows.size)
    moderate = Target(TargetKind.FLATNESS, 0.7)
    budget = float(rows.sum() // 3)
    return {
        "flatness 0.8": Problem(ids, rows, flat),
        "flatness 0.8, max_repeat 4": Problem(ids, rows, flat, max_repeat=4.0),
        "flatness 0.7, limits of each": Problem(ids, rows, moderate, lower=lower, upper=upper),
        "alpha 0.5": Problem(ids, rows, Target(TargetKind.TEMPERED, 0.5), max_repeat=4.0),
        "as flat as pays": Problem(ids, rows),
        "a third of the rows, 0.8": Problem(ids, rows, flat, total=budget, whole_numbers=True),
        "a third of the rows": Problem(ids, rows, total=budget, whole_numbers=True),
        "copies up to 4, 0.8": Problem(ids, rows, flat, max_repeat=4.0, whole_numbers=True),
    }


def _processor_times(work: Callable[[], object], repeat: int) -> list[float]:
    work()
    times = []
    for _ in range(repeat):
        start = time.process_time()
        work()
        times.append(1_000 * (time.process_time() - start))
    return times


def _against_generic(report: Report, repeat: int) -> None:
    rows = np.floor(2_000 / np.arange(1, SMALL_COUNT + 1)).astype(np.int64)
    problem = Problem(np.arange(SMALL_COUNT), rows, Target(TargetKind.FLATNESS, 0.8))
    total = float(rows.sum())
    spread = 0.2 * total * (SMALL_COUNT - 1) / SMALL_COUNT
    own = _processor_times(lambda: solve(problem), repeat)
    generic = _processor_times(lambda: least_squares(problem, total, spread), repeat)
    name = f"{SMALL_COUNT} clusters, flatness 0.8"
    report.add(median_figure(f"{name}, this solver", own, "ms"))
    report.add(median_figure(f"{name}, Clarabel", generic, "ms"))
    ratio = float(np.median(generic) / np.median(own))
    report.add(Figure(f"{name}, times as fast", ratio, "x"))


if __name__ == "__main__":
    main()
