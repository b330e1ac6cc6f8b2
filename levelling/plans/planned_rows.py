"""What a plan comes to, once it is settled how much each row counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from levelling.errors import InvalidTarget
from levelling.groups import NOISE_ID
from levelling.measures import Balance
from levelling.plans.plan_figures import mean_weights, measure_labels, measure_rows
from levelling.plans.plan_notes import plan_notes
from levelling.plans.plan_types import Coverage, Plan
from levelling.plans.pool import Pool
from levelling.plans.prepared import Prepared
from levelling.plans.reasons import Reason
from levelling.request import DuplicateKind, LevelRequest, NoiseKind, SamplingStrategy


def describe(prepared: Prepared, weights: NDArray[np.float64]) -> Plan:
    """Return the plan in which rows count so much.

    Parameters
    ----------
    prepared : Prepared
        With nothing left to pick.
    weights : ndarray of shape (n_rows,), float64
        Of each row; its copies where rows are picked; 0 for those that are dropped.

    Raises
    ------
    InvalidTarget
        If no row is left.
    """
    if not weights.any():
        message = "no row would be left: every cluster has weight 0"
        raise InvalidTarget(message, field="target")
    request, pool = prepared.request, prepared.pool
    original = prepared.material.labels[prepared.layer]
    reasons = _find_reasons(prepared, weights > 0)
    cluster_weights, noise_weight = mean_weights(prepared.material.labels[0], weights)
    copies = (weights if request.chooses_rows else weights > 0).astype(np.int32)
    plan = Plan(
        request=request,
        layer=prepared.layer,
        labels=pool.labels,
        copies=copies,
        sample_weight=_with_mean_one(weights),
        reasons=reasons,
        cluster_ids=pool.cluster_ids,
        sizes_before=_sizes(original, np.ones(original.size), pool.cluster_ids),
        sizes_after=_sizes(pool.labels, weights, pool.cluster_ids),
        cluster_weights=cluster_weights,
        noise_weight=noise_weight,
        before=measure_labels(original, pool.cluster_ids, np.ones(original.size)),
        after=_measure_after(request, pool, weights, reasons),
        token_count=_count_tokens(prepared, copies),
        coverage=_find_coverage(prepared),
        solution=prepared.solution,
        notes=(),
    )
    return replace(plan, notes=plan_notes(plan))


def _with_mean_one(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    # Relative to the largest first: equal weights become exactly 1, and no sum overflows.
    relative = weights / weights.max()
    scaled: NDArray[np.float64] = relative / relative[weights > 0].mean()
    return scaled


def _sizes(
    labels: NDArray[np.int32], weights: NDArray[np.float64], cluster_ids: NDArray[np.int64]
) -> NDArray[np.float64]:
    slots = np.searchsorted(cluster_ids, labels[labels != NOISE_ID])
    sizes = np.bincount(slots, weights=weights[labels != NOISE_ID], minlength=cluster_ids.size)
    return sizes.astype(np.float64, copy=False)


def _find_reasons(prepared: Prepared, kept: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return why rows are dropped: by a policy, or because others were picked before them."""
    request, pool = prepared.request, prepared.pool
    reasons = pool.reasons.copy()
    left = pool.candidates & ~kept
    reasons[left] = Reason.SURPLUS
    if request.noise.kind is NoiseKind.CAP and request.chooses_rows:
        reasons[left & (pool.slots == pool.noise_slot)] = Reason.NOISE
    groups = prepared.material.near_dup_groups
    if groups is not None and _passes_over_copies(request):
        has_kept = np.zeros(groups.size, bool)
        has_kept[groups[kept]] = True
        reasons[left & has_kept[groups]] = Reason.NEAR_DUPLICATE
    return reasons


def _passes_over_copies(request: LevelRequest) -> bool:
    """Whether rows are passed over because another of their group is kept."""
    is_asked = request.duplicates.kind is not DuplicateKind.KEEP
    return is_asked or request.sampling is SamplingStrategy.DIVERSE


def _measure_after(
    request: LevelRequest,
    pool: Pool,
    weights: NDArray[np.float64],
    reasons: NDArray[np.uint8],
) -> Balance:
    balance = measure_rows(pool, weights)
    if request.chooses_rows:
        balance = replace(balance, max_repeat=float(weights.max()))
    duplicates = int(np.count_nonzero(reasons == Reason.NEAR_DUPLICATE))
    return replace(balance, duplicate_count=duplicates)


def _count_tokens(prepared: Prepared, copies: NDArray[np.int32]) -> int | None:
    tokens = prepared.material.row_tokens
    return None if tokens is None else int(copies.astype(np.int64) @ tokens)


def _find_coverage(prepared: Prepared) -> Coverage | None:
    if prepared.selection is None:
        return None
    return Coverage(
        cluster_ids=np.append(prepared.pool.cluster_ids, NOISE_ID),
        shares=prepared.selection.coverage,
        distance=prepared.selection.coverage_distance,
    )
