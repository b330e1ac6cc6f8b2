"""A plan in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

import numpy as np

from levelling.plans.plan_types import Plan
from levelling.plans.reasons import Reason
from levelling.request import BudgetUnit, DuplicateKind
from levelling.targets import TargetKind

_AT_FLOOR = 1e-6  # rows; a weight times a number of rows is whole to within rounding
_NAMED = 3  # clusters that a sentence names before it counts the rest


def plan_notes(plan: Plan) -> tuple[str, ...]:
    """Return what a plan does and what it could not do, most telling first.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    tuple of str
        Whole sentences in English, for people; the first says how many rows are kept.
    """
    sentences = [_kept(plan), _flatness(plan)]
    for part in (_less_level, _dropped, _repeated, _budget, _emptied, _floors, _unmet, _coverage):
        sentences.extend(part(plan))
    return tuple(sentences)


def _kept(plan: Plan) -> str:
    kept, rows = plan.after.row_count, plan.copies.size
    if kept < rows:
        return f"{kept:,} of {rows:,} rows are kept."
    return f"All {rows:,} rows are kept."


def _flatness(plan: Plan) -> str:
    before, after = plan.before, plan.after
    cost = f"the rows are worth {after.effective_sample_size:,.0f} equal ones"
    if round(before.flatness, 3) == round(after.flatness, 3):
        return f"Flatness stays at {after.flatness:.3f}; {cost}."
    return f"Flatness goes from {before.flatness:.3f} to {after.flatness:.3f}; {cost}."


def _less_level(plan: Plan) -> Iterator[str]:
    """Say why a levelling made clusters less even, which nobody expects of one."""
    if plan.request.target.kind is not TargetKind.AUTO or plan.request.budget is None:
        return
    if round(plan.after.flatness, 3) < round(plan.before.flatness, 3):
        yield (
            "The rows that together stand best for all others are not the most even ones; a "
            "target, uniform for one, makes clusters even."
        )


def _dropped(plan: Plan) -> Iterator[str]:
    noise = int(np.count_nonzero(plan.reasons == Reason.NOISE))
    if noise:
        yield f"{_rows(noise)} of noise {_is(noise)} dropped."
    joined = plan.before.noise_count - int(np.count_nonzero(plan.labels < 0))
    if joined:
        yield f"{_rows(joined)} of noise {_is(joined)} assigned to the nearest cluster."
    copies = plan.after.duplicate_count
    if copies:
        yield f"{_rows(copies)} {_is(copies)} dropped as near-duplicates of rows that are kept."
    if plan.request.duplicates.kind is DuplicateKind.DISCOUNT and not plan.request.chooses_rows:
        yield "Near-duplicates count as one row together."


def _repeated(plan: Plan) -> Iterator[str]:
    repeated = int(np.count_nonzero(plan.copies > 1))
    if repeated:
        most = int(plan.copies.max())
        yield f"{_rows(repeated)} {_is(repeated)} repeated, at most {most} times."


def _budget(plan: Plan) -> Iterator[str]:
    budget, unit = plan.request.budget, plan.request.budget_unit
    lines = int(plan.copies.sum())
    if budget is None or lines == budget:
        return
    if unit is BudgetUnit.TOKENS:
        yield f"They have {plan.token_count:,} tokens, of a budget of {budget:,}."
        return
    may_be = int(np.count_nonzero((plan.reasons == Reason.KEPT) | (plan.reasons == Reason.SURPLUS)))
    if budget > may_be and plan.after.max_repeat <= 1:
        hint = "" if plan.request.max_repeat else "; max_repeat lets rows stand more than once"
        yield f"The budget of {budget:,} rows is more than the {may_be:,} that may be kept{hint}."
    else:
        yield f"{lines:,} of the budget of {budget:,} rows can be used."


def _emptied(plan: Plan) -> Iterator[str]:
    emptied = plan.cluster_ids[(plan.sizes_before > 0) & (plan.sizes_after == 0)]
    if emptied.size:
        yield f"{_clusters(emptied)} {'has' if emptied.size == 1 else 'have'} no rows left."


def _floors(plan: Plan) -> Iterator[str]:
    """Say of the cluster that misses its floor by most why it does."""
    request = plan.request
    ids = plan.cluster_ids.tolist()
    floors = np.array([request.floors.get(one, request.floor or 0.0) for one in ids])
    pinned = np.isin(plan.cluster_ids, list(request.pinned))
    missing = np.where(pinned, 0.0, np.floor(floors) - plan.sizes_after)
    if not missing.size or missing.max() <= _AT_FLOOR:
        return
    worst = int(missing.argmax())
    rows, asked = _candidates(plan, ids[worst]), floors[worst]
    start = f"Cluster {ids[worst]} has {_rows(rows)}"
    if rows and asked > rows * (request.max_repeat or 1.0):
        yield f"{start}; the floor of {asked:g} needs max_repeat {ceil(asked / rows)}."
    else:
        held = plan.sizes_after[worst]
        yield f"{start}, and gets {held:g} instead of the floor of {asked:g}."


def _candidates(plan: Plan, cluster: int) -> int:
    """Return the rows of a cluster that a policy did not take."""
    of_cluster = plan.labels == cluster
    if plan.request.duplicates.kind is DuplicateKind.KEEP:
        return int(np.count_nonzero(of_cluster))
    return int(np.count_nonzero(of_cluster & (plan.reasons != Reason.NEAR_DUPLICATE)))


def _unmet(plan: Plan) -> Iterator[str]:
    if plan.solution is not None:
        yield from plan.solution.unmet


def _coverage(plan: Plan) -> Iterator[str]:
    if plan.coverage is None or not plan.cluster_ids.size:
        return
    shares = plan.coverage.shares[: plan.cluster_ids.size]
    worst = int(shares.argmin())
    yield (
        f"Cluster {plan.cluster_ids[worst]} is covered least: {shares[worst]:.0%} of its rows are "
        f"within a distance of {plan.coverage.distance:.2f} of a kept row."
    )


def _clusters(ids: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> str:
    named = ", ".join(str(one) for one in ids[:_NAMED].tolist())
    more = f" and {ids.size - _NAMED:,} more" if ids.size > _NAMED else ""
    return f"Cluster {named}" if ids.size == 1 else f"Clusters {named}{more}"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
