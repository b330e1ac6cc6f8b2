"""Plans that pick rows: what is to be picked, and how often each row stands in the end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from levelling.duplicates.keepers import find_keepers
from levelling.errors import InvalidTarget
from levelling.groups import NOISE_ID
from levelling.plans.material import Material
from levelling.plans.picks import PickTask, Selection
from levelling.plans.pool import Pool, cap_noise
from levelling.plans.prepared import Prepared
from levelling.plans.reasons import Reason
from levelling.plans.repeats import spread_repeats
from levelling.plans.row_quotas import Supply, find_quotas, is_constrained
from levelling.plans.trimming import trim_to_tokens
from levelling.request import BudgetUnit, LevelRequest
from levelling.targets import TargetKind

_TOLERANCE = 0.02  # of a budget in tokens; rows that cost it within that are not picked again


def prepare_rows(prepared: Prepared) -> Prepared:
    """Return the plan with its first task; without one where nothing has to be picked.

    A budget alone buys the best rows over all clusters. With a target, rows are picked to quotas.
    With limits of single clusters and no target, a free pick says how clusters share the budget,
    the solver moves that inside the limits, and rows are picked anew to what comes of it.
    """
    request = prepared.request
    supply = find_supply(prepared.material, request, prepared.pool)
    prepared = replace(prepared, supply=supply)
    if request.target.kind is not TargetKind.AUTO or not supply.is_short:
        return _with_quotas(prepared)
    return _with_free_pick(prepared, supply.affordable())


def find_supply(material: Material, request: LevelRequest, pool: Pool) -> Supply:
    """Return what there is to pick from.

    Raises
    ------
    InvalidTarget
        If the budget is in tokens, and it is not known how many each row has.
    """
    costs = np.ones(pool.noise_slot + 1)
    if _counts_tokens(request):
        tokens = material.needed("row_tokens", "budget_unit").astype(np.float64)
        costs = _mean_costs(pool, tokens, np.flatnonzero(pool.heads()), costs)
    return Supply(
        pool=pool,
        units=pool.count_units(),
        costs=costs,
        repeats=int(request.max_repeat or 1),
        budget=request.budget,
    )


def take_pick(prepared: Prepared, selection: Selection) -> Prepared:
    """Return the plan with the rows that its task asked for, and perhaps with a new task.

    Raises
    ------
    InvalidTarget
        If the rows are not such as the task asked for.
    """
    assert prepared.task is not None
    _check_selection(prepared.task, selection)
    if prepared.is_draft:
        picked = _count_by_slot(prepared.pool, selection.rows)
        return _with_quotas(replace(prepared, picked=picked, is_draft=False))
    done = replace(prepared, selection=selection, task=None)
    return _with_true_costs(done) if _misses_budget(done) else done


def count_copies(prepared: Prepared) -> NDArray[np.int32]:
    """Return how often each row stands, at most what the budget buys; int32 array (n_rows,).

    Raises
    ------
    InvalidTarget
        If a budget in tokens buys no row.
    """
    copies = _spread(prepared)
    if not _counts_tokens(prepared.request):
        return copies
    tokens = prepared.material.needed("row_tokens", "budget_unit").astype(np.int64)
    budget = int(prepared.request.budget or 0)
    trim_to_tokens(prepared, copies, tokens, budget)
    if not copies.any():
        message = f"{budget} tokens buy none of the picked rows; raise the budget"
        raise InvalidTarget(message, field="budget")
    return copies


def _counts_tokens(request: LevelRequest) -> bool:
    return request.budget is not None and request.budget_unit is BudgetUnit.TOKENS


def _with_free_pick(prepared: Prepared, budget: int) -> Prepared:
    request, pool = prepared.request, prepared.pool
    if NOISE_ID not in request.pinned:
        pool = cap_noise(pool, request.noise, request.seed, budget)
    task = _task(replace(prepared, pool=pool), None, budget)
    if is_constrained(request):
        return replace(prepared, task=task, is_draft=True)
    return replace(prepared, pool=pool, task=task)


def _with_quotas(prepared: Prepared) -> Prepared:
    supply = prepared.supply
    assert supply is not None
    found = find_quotas(prepared.request, supply, prepared.picked)
    if not found.counts.any():
        message = "no row would be left: the target and the limits hold every cluster at 0 rows"
        raise InvalidTarget(message, field="target")
    prepared = replace(
        prepared, counts=found.counts, problem=found.problem, solution=found.solution, task=None
    )
    wanted = np.minimum(found.counts, supply.units)
    if (wanted == supply.units).all():
        return prepared
    return replace(prepared, task=_task(prepared, wanted, int(wanted.sum())))


def _task(prepared: Prepared, counts: NDArray[np.int64] | None, budget: int) -> PickTask:
    pool, groups = prepared.pool, prepared.material.near_dup_groups
    heads = pool.heads()
    return PickTask(
        labels=np.where(pool.reasons == Reason.NOISE, -1, pool.slots).astype(np.int32),
        slot_count=pool.noise_slot + 1,
        counts=counts,
        budget=min(budget, int(np.count_nonzero(heads))),
        candidates=heads,
        near_dup_groups=groups,
        keepers=heads if groups is None else find_keepers(groups, pool.ranks, heads),
        strategy=prepared.request.sampling,
        seed=prepared.request.seed,
    )


def _check_selection(task: PickTask, selection: Selection) -> None:
    rows = selection.rows
    right = rows.size == task.budget and bool((np.diff(rows) > 0).all())
    right = right and (not rows.size or 0 <= rows[0] <= rows[-1] < task.candidates.size)
    if right and task.candidates[rows].all():
        if task.counts is None:
            return
        if (np.bincount(task.labels[rows], minlength=task.slot_count) == task.counts).all():
            return
    raise InvalidTarget("the picked rows are not those that were asked for", field="rows")


def _count_by_slot(pool: Pool, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.bincount(pool.slots[rows], minlength=pool.noise_slot + 1)


def _mean_costs(
    pool: Pool,
    tokens: NDArray[np.float64],
    rows: NDArray[np.int64],
    otherwise: NDArray[np.float64],
) -> NDArray[np.float64]:
    counts = _count_by_slot(pool, rows)
    sums = np.bincount(pool.slots[rows], weights=tokens[rows], minlength=counts.size)
    return np.where(counts > 0, sums / np.maximum(counts, 1), otherwise)


def _misses_budget(prepared: Prepared) -> bool:
    """Whether rows that were picked to cost the budget cost much more or less."""
    request, supply = prepared.request, prepared.supply
    assert supply is not None
    if prepared.is_corrected or not supply.is_short or not _counts_tokens(request):
        return False
    tokens = prepared.material.needed("row_tokens", "budget_unit").astype(np.int64)
    budget = int(request.budget or 0)
    return abs(int(_spread(prepared) @ tokens) - budget) > _TOLERANCE * budget


def _with_true_costs(prepared: Prepared) -> Prepared:
    """Return the plan with the task to pick again, at what rows cost that are picked."""
    assert prepared.supply is not None and prepared.selection is not None
    tokens = prepared.material.needed("row_tokens", "budget_unit").astype(np.float64)
    rows = prepared.selection.rows
    if prepared.counts is None:
        budget = float(prepared.request.budget or 0) * rows.size / float(tokens[rows].sum())
        task = _task(prepared, None, max(1, int(budget)))
        return replace(prepared, task=task, selection=None, is_corrected=True)
    costs = _mean_costs(prepared.pool, tokens, rows, prepared.supply.costs)
    supply = replace(prepared.supply, costs=costs)
    return _with_quotas(replace(prepared, supply=supply, selection=None, is_corrected=True))


def _spread(prepared: Prepared) -> NDArray[np.int32]:
    """Return how often each row stands: once if picked, or as often as fills its slot."""
    pool = prepared.pool
    copies = np.zeros(pool.slots.size, np.int32)
    if prepared.selection is not None:
        copies[prepared.selection.rows] = 1
    if prepared.counts is None or prepared.supply is None:
        return copies
    is_full = prepared.counts >= prepared.supply.units
    rows = np.flatnonzero(pool.candidates & is_full[pool.slots])
    counts = np.where(is_full, prepared.counts, 0)
    repeats = spread_repeats(
        counts, pool.slots, pool.units, pool.ranks, rows, prepared.request.seed
    )
    copies[rows] = repeats[rows]
    return copies
