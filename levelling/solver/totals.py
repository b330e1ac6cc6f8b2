"""The total of the sizes: what is wanted, what limits allow, and what a cost comes to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from levelling.solver.items import FloatArray
from levelling.solver.limits import Limits
from levelling.solver.problem import Problem

_SAME = 1e-9
_MOST_TRIALS = 100
_WHOLE_TRIALS = 15


def reachable_total(problem: Problem, limits: Limits) -> tuple[float, tuple[str, ...]]:
    """Return the wanted total, or the nearest one that the limits allow, and what is unmet.

    With costs, what is wanted is no total: then the first is a total only where it is out of reach.
    """
    prices = _unit_costs(problem)
    least, most = prices @ limits.items.lower, _most(prices, limits)
    if problem.total is None:
        base = problem.sizes_at_one
        available = np.clip(base, limits.items.lower, limits.items.upper)
        return float(available.sum()), ()
    unit = "rows" if problem.row_costs is None else "tokens"
    if problem.total > most * (1 + _SAME):
        message = (
            f"{problem.total:,.6g} {unit} were asked for, but the limits allow no more than"
            f" {most:,.6g}; raise max_repeat or the ceilings, or ask for fewer {unit}."
        )
        return limits.greatest_total, (message,)
    if problem.total < least * (1 - _SAME):
        message = (
            f"{problem.total:,.6g} {unit} were asked for, but pins and floors need at least"
            f" {least:,.6g}; lower them, or ask for more {unit}."
        )
        return limits.least_total, (message,)
    if problem.row_costs is not None:
        return limits.least_total, ()
    return float(np.clip(problem.total, limits.least_total, limits.greatest_total)), ()


def _unit_costs(problem: Problem) -> FloatArray:
    return np.ones(problem.cluster_ids.size) if problem.row_costs is None else problem.row_costs


def _most(prices: FloatArray, limits: Limits) -> float:
    with np.errstate(invalid="ignore"):
        return float(np.where(limits.items.upper > 0, prices * limits.items.upper, 0.0).sum())


def total_of_cost(
    problem: Problem, limits: Limits, sizes_at: Callable[[float], FloatArray]
) -> float:
    """Return the total whose sizes, as `sizes_at` gives them, cost what is wanted."""
    assert problem.row_costs is not None and problem.total is not None
    costs, wanted = problem.row_costs, problem.total
    least, most = float(costs @ limits.items.lower), _most(costs, limits)
    if wanted >= most or wanted <= least:
        return limits.greatest_total if wanted >= most else limits.least_total
    low = limits.least_total
    # Even if only the cheapest rows were bought, the total could not be more than this.
    high = min(limits.greatest_total, low + (wanted - least) / float(costs.min()))

    def excess(total: float) -> float:
        return float(costs @ sizes_at(total)) - wanted

    if not problem.whole_numbers:
        return _root(excess, low, high, least - wanted, 1e-12 * wanted, _MOST_TRIALS)
    # Whole rows cost no less than the cheapest one; near enough is below that.
    return _root(excess, low, high, least - wanted, 0.5 * float(costs.min()), _WHOLE_TRIALS)


def _root(
    excess: Callable[[float], float],
    low: float,
    high: float,
    at_low: float,
    near: float,
    trials: int,
) -> float:
    """Return where a rising function is nearly 0, or below, by the Illinois false position."""
    at_high, side = excess(high), 0
    for _ in range(trials):
        if at_high <= 0 or high - low <= 1e-12 * high:
            break
        middle = high - at_high * (high - low) / (at_high - at_low)
        value = excess(middle)
        if value > 0:
            high, at_high = middle, value
            at_low = at_low / 2 if side > 0 else at_low
            side = 1
        else:
            low, at_low = middle, value
            at_high = at_high / 2 if side < 0 else at_high
            side = -1
        if abs(value) <= near:
            return middle
    return high if at_high <= 0 else low
