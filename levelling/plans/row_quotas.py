"""How many rows of each cluster a dataset of picked rows is to have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor

import numpy as np
from numpy.typing import NDArray

from levelling.groups import NOISE_ID
from levelling.plans.largest_total import solve_largest
from levelling.plans.noise import noise_limit
from levelling.plans.pool import Pool
from levelling.request import LevelRequest
from levelling.solver import Problem, Solution, make_problem, solve
from levelling.targets import Target, TargetKind

_ROUNDING = 1e-9  # a share of a budget so little below a whole number of rows is meant as it


@dataclass(frozen=True, eq=False)
class Supply:
    """What there is to pick from, and how much of it is wanted.

    Parameters
    ----------
    pool : Pool
    units : ndarray of shape (n_slots,), int64
        What counts as a row in each slot, noise last.
    costs : ndarray of shape (n_slots,), float64
        What one costs on average, in the unit of the budget: 1 where that is rows.
    repeats : int
        How often a row may stand, at least 1.
    budget : float, optional
        The most that may be spent.
    """

    pool: Pool
    units: NDArray[np.int64]
    costs: NDArray[np.float64]
    repeats: int
    budget: float | None

    @property
    def stock(self) -> float:
        """What all candidates cost, each once."""
        return float(self.units @ self.costs)

    @property
    def is_short(self) -> bool:
        """Whether there is a budget, and less in it than there are candidates."""
        return self.budget is not None and self.budget < self.stock

    def affordable(self) -> int:
        """Return how many candidates of mean cost the budget buys, at least 1."""
        if self.budget is None or not self.is_short:
            return int(self.units.sum())
        return max(1, floor(self.budget * int(self.units.sum()) / self.stock + _ROUNDING))


@dataclass(frozen=True, eq=False)
class RowQuotas:
    """How many rows each slot is to have.

    Parameters
    ----------
    counts : ndarray of shape (n_slots,), int64
        Copies included.
    problem : Problem, optional
        What the solver was asked of clusters alone; None where there is nothing to share out.
    solution : Solution, optional
        What it found.
    """

    counts: NDArray[np.int64]
    problem: Problem | None = None
    solution: Solution | None = None


def is_constrained(request: LevelRequest) -> bool:
    """Whether single clusters have limits of their own."""
    limits = (request.pinned, request.floors, request.ceilings)
    return any(limits) or request.floor is not None or request.ceiling is not None


def find_quotas(
    request: LevelRequest, supply: Supply, picked: NDArray[np.int64] | None = None
) -> RowQuotas:
    """Return how many rows each slot is to have.

    Noise has its part of a budget in proportion to what it costs, as far as its policy lets it;
    clusters share the rest as the target says. Without a budget clusters get as much as there may
    be for the target to be met.

    Parameters
    ----------
    request : LevelRequest
    supply : Supply
    picked : ndarray of shape (n_slots,), int64, optional
        How many rows of each slot a free pick took: then clusters share as it did, as far as their
        limits let them, and the request's own target is left aside.
    """
    noise = _noise_count(request, supply, picked)
    total = _cluster_budget(request, supply, noise)
    if not supply.units[:-1].any() or total == 0:
        return _capped(request, np.zeros(supply.units.size - 1, np.int64), noise)
    if total is None:
        problem, solution = solve_largest(
            _problem(_with_fixed_target(request, supply), supply, None)
        )
    else:
        problem = _problem(request, supply, total, picked)
        solution = solve(problem) if picked is None else _nearest(problem)
    assert solution.counts is not None
    return replace(_capped(request, solution.counts, noise), problem=problem, solution=solution)


def _capped(request: LevelRequest, clustered: NDArray[np.int64], noise: int) -> RowQuotas:
    """Return counts with as much noise as may be beside so many rows of clusters."""
    if request.noise.share is not None:
        noise = min(noise, noise_limit(request.noise.share, int(clustered.sum())))
    return RowQuotas(np.append(clustered, noise))


def _noise_count(request: LevelRequest, supply: Supply, picked: NDArray[np.int64] | None) -> int:
    units = int(supply.units[-1])
    pinned = request.pinned.get(NOISE_ID)
    if pinned is not None:
        return floor(pinned * units + 0.5)
    if picked is not None:
        return int(picked[-1])
    share = min(1.0, supply.budget / supply.stock) if supply.budget is not None else 1.0
    noise = floor(share * units + 0.5)
    if request.noise.share is None or supply.budget is None:
        return noise
    return min(noise, floor(request.noise.share * supply.affordable() + _ROUNDING))


def _cluster_budget(request: LevelRequest, supply: Supply, noise: int) -> float | None:
    """Return what is left for clusters, at most what all of their repeats cost."""
    if supply.budget is None:
        return None
    ids = supply.pool.cluster_ids.tolist()
    repeats = [request.pinned.get(one, float(supply.repeats)) for one in ids]
    most = float((supply.units[:-1] * supply.costs[:-1]) @ np.array(repeats, np.float64))
    return min(max(0.0, supply.budget - noise * float(supply.costs[-1])), most)


def _problem(
    request: LevelRequest,
    supply: Supply,
    total: float | None,
    picked: NDArray[np.int64] | None = None,
) -> Problem:
    ids = supply.pool.cluster_ids
    if picked is not None and picked[:-1].any():
        shares = dict(zip(ids.tolist(), picked[:-1].astype(float).tolist(), strict=True))
        request = replace(request, target=Target(TargetKind.CUSTOM, shares=shares))
    in_rows = bool((supply.costs == 1).all())
    problem = make_problem(
        clusters_alone(request, supply.repeats),
        ids,
        supply.units[:-1],
        total=total,
        row_costs=None if in_rows else supply.costs[:-1],
    )
    return problem if total is None else _with_floors_within(problem, supply, total)


def _with_floors_within(problem: Problem, supply: Supply, total: float) -> Problem:
    """Return the problem with floors lowered alike as far as they cost more than there is."""
    assert problem.lower is not None and problem.upper is not None
    pinned, costs = problem.lower == problem.upper, supply.costs[:-1]
    floors = np.where(pinned, 0.0, problem.lower)
    left = max(0.0, total - float(costs @ np.where(pinned, problem.lower, 0.0)))
    if costs @ np.ceil(floors) <= left:
        return problem
    lowered = np.floor(floors * (left / float(costs @ floors)))
    return replace(problem, lower=np.where(pinned, problem.lower, lowered))


def clusters_alone(request: LevelRequest, max_repeat: float | None) -> LevelRequest:
    """Return the request without what it says of noise's weight, and with a limit of repeats."""
    pinned = {key: value for key, value in request.pinned.items() if key != NOISE_ID}
    return replace(request, pinned=pinned, max_repeat=max_repeat)


def _nearest(problem: Problem) -> Solution:
    """Return the solution nearest to what was picked, which nobody asked to be met."""
    solution = solve(problem)
    spent = solution.total if solution.cost is None else solution.cost
    dearest = 1.0 if problem.row_costs is None else float(problem.row_costs.max())
    left = 0.0 if problem.total is None else problem.total - spent
    is_spent = -_ROUNDING * spent <= left < dearest
    return replace(solution, unmet=()) if is_spent else solution


def _with_fixed_target(request: LevelRequest, supply: Supply) -> LevelRequest:
    """Return the request with the flatness that pays for weights, where it leaves that open."""
    if request.target.kind is not TargetKind.AUTO:
        return request
    free = LevelRequest()
    problem = make_problem(free, supply.pool.cluster_ids, supply.units[:-1])
    target = Target(TargetKind.FLATNESS, value=min(1.0, max(0.0, solve(problem).flatness)))
    return replace(request, target=target)
