"""From what was asked for to a levelled dataset, row by row.

Three steps, so that rows can be picked in another process: `prepare` applies the policies and
solves for sizes; `advance` takes the rows that were picked, as often as there is something to pick;
`finish` tells what came of it. Weights need no picking. The same material, request and picked rows
give the same plan, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from levelling.errors import InvalidTarget
from levelling.plans.material import Material
from levelling.plans.picks import PickTask, Selection
from levelling.plans.plan_notes import plan_notes
from levelling.plans.plan_types import Plan
from levelling.plans.planned_rows import describe
from levelling.plans.pool import fill_pool
from levelling.plans.prepared import Prepared
from levelling.plans.row_plans import count_copies, find_supply, prepare_rows, take_pick
from levelling.plans.row_quotas import find_quotas
from levelling.plans.weight_plans import prepare_weights, weights_problem
from levelling.request import LevelRequest
from levelling.solver import LevelCurve, level_curve


def make_plan(
    material: Material, request: LevelRequest, select: Callable[[PickTask], Selection]
) -> Plan:
    """Return the plan of a request.

    Parameters
    ----------
    material : Material
    request : LevelRequest
    select : callable
        Picks the rows of a task; called up to three times, and not at all for weights.

    Raises
    ------
    InvalidTarget
        If the request names clusters or a layer that there are not, needs an array that the
        material has not, or leaves no row.
    """
    prepared = prepare(material, request)
    while prepared.task is not None:
        prepared = advance(prepared, select(prepared.task))
    return finish(prepared)


def prepare(material: Material, request: LevelRequest) -> Prepared:
    """Return a plan as far as it goes without picking rows.

    Raises
    ------
    InvalidTarget
        As `make_plan`.
    """
    layer = material.find_layer(request.layer)
    pool = fill_pool(material, request, layer)
    if not pool.candidates.any():
        message = "no row would be left: every row is noise, and noise is not kept"
        raise InvalidTarget(message, field="noise.kind")
    prepared = Prepared(material, request, layer, pool)
    return prepare_rows(prepared) if request.chooses_rows else prepare_weights(prepared)


def advance(prepared: Prepared, selection: Selection) -> Prepared:
    """Return a plan with the rows that its task asked for.

    Parameters
    ----------
    prepared : Prepared
        With a task.
    selection : Selection
        What came of that task.

    Raises
    ------
    InvalidTarget
        If the rows are not those of a pick from the task's candidates.
    """
    if prepared.task is None:
        raise InvalidTarget("there are no rows to pick for this plan", field="rows")
    return take_pick(prepared, selection)


def finish(prepared: Prepared) -> Plan:
    """Return the plan, when there is nothing left to pick.

    Raises
    ------
    InvalidTarget
        If rows are still to be picked, or none is left.
    """
    if prepared.task is not None:
        raise InvalidTarget("rows are still to be picked for this plan", field="request")
    weights = count_copies(prepared) if prepared.weights is None else prepared.weights
    return describe(prepared, weights.astype(np.float64))


def preview(prepared: Prepared) -> Plan | None:
    """Return the plan as it would be if it did not matter which rows are picked.

    Sizes, weights and balance are those of the plan, within the rounding of a budget in tokens and
    the near-duplicates that are picked with it. Which rows are kept is not, and there is no
    coverage.

    Returns
    -------
    Plan or None
        None where picking decides how many rows each cluster has.
    """
    if prepared.task is None:
        return finish(prepared)
    if prepared.task.counts is None:
        return None
    task = prepared.task
    rows = _first_rows(task, prepared.pool.ranks)
    selection = Selection(rows, np.zeros(task.slot_count), 0.0)
    plan = finish(replace(prepared, task=None, selection=selection))
    # What stands in for the pick covers nothing, and neither plan nor notes may speak of it.
    plan = replace(plan, coverage=None)
    return replace(plan, notes=plan_notes(plan))


def _first_rows(task: PickTask, ranks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return as many rows of each slot as the task asks for, those that are kept first."""
    assert task.counts is not None
    rows = np.flatnonzero(task.candidates)
    rows = rows[np.lexsort((ranks[rows], ~task.keepers[rows], task.labels[rows]))]
    slots = task.labels[rows]
    sizes = np.bincount(slots, minlength=task.slot_count)
    places = np.arange(rows.size) - (np.cumsum(sizes) - sizes)[slots]
    return np.sort(rows[places < task.counts[slots]])


def plan_curve(material: Material, request: LevelRequest, steps: int = 21) -> LevelCurve:
    """Return what flatness costs for a request, its policies and limits applied.

    Parameters
    ----------
    material : Material
    request : LevelRequest
        Its target is left aside. Where rows are picked without a budget, the curve is that of
        weights: how many rows are kept depends on the target then.
    steps : int
        How many points the curve has, at least 2.

    Raises
    ------
    InvalidTarget
        As `make_plan`.
    """
    layer = material.find_layer(request.layer)
    pool = fill_pool(material, request, layer)
    problem, _ = weights_problem(request, pool)
    if request.budget is not None:
        problem = find_quotas(request, find_supply(material, request, pool)).problem or problem
    return level_curve(problem, steps)
