"""A plan of a levelling as JSON values; pure."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from levelling import NOISE_ID
from levelling.plans.noise_effects import NoiseEffect
from levelling.plans.plan_types import Plan
from levelling.plans.reasons import Reason
from levelling.solver import LevelCurve, Solution


def describe_plan(plan: Plan) -> dict[str, Any]:
    """Return what a plan comes to: weights and counts by cluster, figures before and after."""
    return {
        "layer": plan.layer,
        "solution": _describe_solution(plan, plan.solution),
        "metrics": {"before": asdict(plan.before), "after": asdict(plan.after)},
        "notes": list(plan.notes),
    }


def describe_rows(plan: Plan) -> dict[str, Any]:
    """Return what can be told once the rows are chosen: how many stay, and how well they cover."""
    reasons = np.bincount(plan.reasons, minlength=len(Reason))
    return {
        "reasons": {reason.name.lower(): int(reasons[reason]) for reason in Reason},
        "coverage": _describe_coverage(plan),
    }


def describe_noise_effects(effects: Sequence[NoiseEffect]) -> list[dict[str, Any]]:
    """Return what each policy for noise would do to every figure."""
    return [
        {
            "policy": asdict(effect.policy),
            "dropped_count": effect.dropped,
            "joined_count": effect.joined,
            "metrics": asdict(effect.balance),
        }
        for effect in effects
    ]


def describe_curve(curve: LevelCurve) -> dict[str, Any]:
    """Return a curve as lists of equal length, from the cheapest step to the flattest."""
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in asdict(curve).items()
    }


def weights_in_layer(plan: Plan) -> dict[int, float]:
    """Return effective size divided by rows of each cluster of the layer that was levelled."""
    before, after = plan.sizes_before, plan.sizes_after
    weights = np.divide(after, before, out=np.zeros_like(after), where=before > 0)
    return dict(zip(plan.cluster_ids.tolist(), weights.tolist(), strict=True))


def _describe_solution(plan: Plan, solution: Solution | None) -> dict[str, Any]:
    sizes = plan.sizes_after
    counts = np.rint(sizes).astype(np.int64) if plan.request.chooses_rows else None
    weights = {**weights_in_layer(plan), NOISE_ID: plan.noise_weight}
    return {
        "weights": {str(cluster): weight for cluster, weight in weights.items()},
        "sizes": _by_cluster(plan.cluster_ids, sizes),
        "counts": None if counts is None else _by_cluster(plan.cluster_ids, counts),
        "is_met": solution is None or solution.is_met,
        "unmet": [] if solution is None else list(solution.unmet),
        "binding": [] if solution is None else list(solution.binding),
    }


def _describe_coverage(plan: Plan) -> dict[str, Any] | None:
    if plan.coverage is None:
        return None
    shares = np.asarray(plan.coverage.shares, dtype=np.float64)
    return {
        "max_distance": float(plan.coverage.distance),
        "shares": _by_cluster(plan.coverage.cluster_ids, shares),
    }


def _by_cluster(cluster_ids: NDArray[np.int64], values: NDArray[Any]) -> dict[str, Any]:
    return {
        str(cluster): value
        for cluster, value in zip(cluster_ids.tolist(), values.tolist(), strict=True)
    }
