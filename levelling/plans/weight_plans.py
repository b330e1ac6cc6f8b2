"""Plans that keep every row that may be kept, and change what it counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from levelling.groups import NOISE_ID
from levelling.plans.pool import Pool
from levelling.plans.prepared import Prepared
from levelling.plans.row_quotas import clusters_alone
from levelling.request import LevelRequest, Mode
from levelling.solver import Problem, Solution, make_problem, solve

_SAME = 1e-9


def prepare_weights(prepared: Prepared) -> Prepared:
    """Return the plan with the weight of every row.

    That of its cluster, times its part of its unit: of n near-duplicates that are discounted each
    counts 1/n. Noise has weight 1 unless it is pinned.
    """
    request, pool = prepared.request, prepared.pool
    problem, mean = weights_problem(request, pool)
    solution = _in_rows(solve(problem), mean)
    by_slot = np.append(solution.weights, 1.0)
    for place, cluster_id in enumerate((*pool.cluster_ids.tolist(), NOISE_ID)):
        # Sizes over rows are weights to within rounding; a pin is exact.
        by_slot[place] = request.pinned.get(cluster_id, by_slot[place])
    solution = _with_repeats_told(solution, request, by_slot, pool.count_units())
    weights = by_slot[pool.slots] * pool.row_shares()
    return replace(prepared, problem=problem, solution=solution, weights=weights)


def weights_problem(request: LevelRequest, pool: Pool) -> tuple[Problem, float]:
    """Return what the solver is asked for weights: the clusters' sizes count units.

    Returns
    -------
    problem : Problem
    mean : float
        What its sizes are in multiples of: 1, or the mean weight of the units that are kept, where
        pins and ceilings lower that so far that max_repeat depends on it.
    """
    shares = pool.row_shares()
    slot_count = pool.noise_slot + 1
    squares = np.bincount(pool.slots, weights=shares**2, minlength=slot_count)
    units = pool.count_units().astype(np.float64)
    sample_sizes = np.divide(units**2, squares, out=np.zeros(slot_count), where=squares > 0)
    weighed = replace(request, mode=Mode.WEIGHTS, budget=None)
    problem = make_problem(
        clusters_alone(weighed, request.max_repeat),
        pool.cluster_ids,
        pool.count_rows()[:-1],
        base_sizes=units[:-1],
        sample_sizes=sample_sizes[:-1],
    )
    noise = float(units[-1])
    return _relative_to_mean(problem, noise, noise * request.pinned.get(NOISE_ID, 1.0))


def _relative_to_mean(problem: Problem, noise: float, noise_size: float) -> tuple[Problem, float]:
    """Return the problem in multiples of the mean weight, where max_repeat is more than it allows.

    A row may weigh max_repeat times the mean of all rows, which is that of their sizes: those of
    clusters that are at the limit depend on it in turn.
    """
    base, repeats = problem.sizes_at_one, problem.max_repeat
    if repeats is None or problem.lower is None or problem.upper is None:
        return problem, 1.0
    free = problem.lower < problem.upper
    sizes = np.clip(base, problem.lower, problem.upper)
    kept = float(base[sizes > 0].sum()) + (noise if noise_size > 0 else 0.0)
    most = _largest_weight(np.where(free, base, 0.0), sizes, repeats, kept, noise_size)
    mean = most / repeats
    if most >= repeats or mean == 0:
        return problem, 1.0
    total = float(np.where(free, np.minimum(sizes, most * base), sizes).sum())
    floors = np.where(free, np.minimum(problem.lower / mean, repeats * base), problem.lower / mean)
    return replace(problem, total=total / mean, lower=floors, upper=problem.upper / mean), mean


def _largest_weight(
    free: NDArray[np.float64],
    sizes: NDArray[np.float64],
    repeats: float,
    kept: float,
    noise_size: float,
) -> float:
    """Return the largest weight that is no more than repeats times the mean it leaves.

    The root of a concave function, piecewise linear, which Newton's steps from above end at.
    """
    most = repeats
    for _ in range(sizes.size + 1):
        limited = most * free < np.where(free > 0, sizes, 0.0)
        held = float(sizes[~limited].sum()) + noise_size
        room = kept - repeats * float(free[limited].sum())
        lower = repeats * held / room if room > 0 else most
        if lower >= most * (1 - _SAME):
            break
        most = lower
    return most


def _in_rows(solution: Solution, mean: float) -> Solution:
    """Return a solution in rows that is in multiples of the mean weight."""
    sizes, weights = solution.sizes * mean, solution.weights * mean
    return replace(solution, sizes=sizes, weights=weights, total=solution.total * mean)


def _with_repeats_told(
    solution: Solution,
    request: LevelRequest,
    by_slot: NDArray[np.float64],
    units: NDArray[np.int64],
) -> Solution:
    """Return the solution with max_repeat as unmet, where pins and noise are kept before it."""
    kept = (by_slot > 0) & (units > 0)
    if request.max_repeat is None or not kept.any():
        return solution
    largest = float(by_slot[kept].max() * units[kept].sum() / (by_slot[kept] @ units[kept]))
    if largest <= request.max_repeat * (1 + _SAME):
        return solution
    sentence = (
        f"Rows count up to {largest:.3g} times the mean, more than max_repeat"
        f" {request.max_repeat:g}: pins, and noise at its own weight, come before it."
    )
    return replace(solution, unmet=(*solution.unmet, sentence))
