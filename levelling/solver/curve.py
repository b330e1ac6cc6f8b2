"""What each step of flatness costs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from levelling.measures import compute_gini_coefficient, effective_clusters, flatness
from levelling.solver.items import FloatArray
from levelling.solver.limits import Limits, limits_of
from levelling.solver.problem import Problem
from levelling.solver.row_frontier import make_frontier
from levelling.solver.solution import squared_weights
from levelling.solver.solve import solve
from levelling.targets import Target


@dataclass(frozen=True, eq=False)
class LevelCurve:
    """Figures of balance and cost of the best sizes at each step of flatness.

    Parameters
    ----------
    flatness, gini, effective_clusters : ndarray of shape (n_steps,), float64
        From the cheapest sizes that the limits allow to the most level ones, evenly in flatness.
    effective_sample_size, effective_sample_share : ndarray of shape (n_steps,), float64
        Kish's, in rows and as a share of the rows of these clusters.
    design_effect, max_repeat : ndarray of shape (n_steps,), float64
        Rows with a weight over the effective sample size; the largest weight over the mean weight,
        or the most copies of a row where rows are chosen.
    default_step : int
        The step that an AUTO target takes: where the curve of effective clusters against effective
        rows, both in logarithms, has the slope -1.
    """

    flatness: FloatArray
    gini: FloatArray
    effective_clusters: FloatArray
    effective_sample_size: FloatArray
    effective_sample_share: FloatArray
    design_effect: FloatArray
    max_repeat: FloatArray
    default_step: int


def level_curve(problem: Problem, steps: int = 21) -> LevelCurve:
    """Return what each step of flatness costs under the limits and the total of a problem.

    Parameters
    ----------
    problem : Problem
        Its target is ignored. With ``row_costs`` the total is the one that an AUTO target takes;
        with ``whole_numbers`` the sizes are those before they are rounded.
    steps : int
        How many, at least 2, the default one included. Fewer come back where all steps are one.

    Returns
    -------
    LevelCurve
        With a single step where the limits leave no choice, and none without rows.
    """
    steps = max(steps, 2)
    best = solve(replace(problem, target=Target()))
    limits = limits_of(problem)
    if best.total <= 0:
        return _figures(problem, limits, [], 0)
    total = best.total
    frontier = make_frontier(limits.items, total, whole_numbers=problem.whole_numbers)
    default = frontier.best_step()
    spreads = np.linspace(frontier.most_spread, frontier.least_spread, steps - 1)
    if spreads[0] - spreads[-1] <= 1e-12 * total:
        return _figures(problem, limits, [default], 0)
    sizes = [frontier.at(float(spread)) for spread in spreads]
    place = sum(flatness(one) < flatness(default) for one in sizes)
    return _figures(problem, limits, [*sizes[:place], default, *sizes[place:]], place)


def _figures(
    problem: Problem, limits: Limits, steps: list[FloatArray], default_step: int
) -> LevelCurve:
    rows = float(problem.row_counts.sum())
    base = problem.sizes_at_one
    totals = np.array([one.sum() for one in steps], np.float64)
    squares = np.array([squared_weights(problem, limits, one) for one in steps], np.float64)
    sample = totals**2 / np.maximum(squares, np.finfo(np.float64).tiny)
    used = np.array([_used_rows(problem, one) for one in steps], np.float64)
    heaviest = np.array([(one[base > 0] / base[base > 0]).max() for one in steps], np.float64)
    if problem.whole_numbers:
        repeats = np.ceil(heaviest - 1e-9)
    else:
        repeats = heaviest * (base.sum() / np.maximum(totals, np.finfo(np.float64).tiny))
    return LevelCurve(
        flatness=np.array([flatness(one) for one in steps], np.float64),
        gini=np.array([compute_gini_coefficient(one) for one in steps], np.float64),
        effective_clusters=np.array([effective_clusters(one) for one in steps], np.float64),
        effective_sample_size=sample,
        effective_sample_share=sample / max(rows, 1.0),
        design_effect=np.maximum(used / np.maximum(sample, np.finfo(np.float64).tiny), 1.0),
        max_repeat=np.maximum(repeats, 1.0),
        default_step=default_step,
    )


def _used_rows(problem: Problem, sizes: FloatArray) -> float:
    if problem.whole_numbers:
        return float(np.minimum(sizes, problem.row_counts).sum())
    return float(problem.row_counts[sizes > 0].sum())
