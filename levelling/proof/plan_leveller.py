"""The plan of a whole levelling, made anew for the training part of a proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from levelling.groups import NOISE_ID
from levelling.plans.material import Material
from levelling.plans.picks import PickTask, Selection
from levelling.plans.plan import make_plan
from levelling.plans.plan_types import Plan
from levelling.proof.values import Leveller, TrainingSet
from levelling.request import BudgetUnit, LevelRequest, Mode
from levelling.targets import Target, TargetKind

SelectRows = Callable[[PickTask], Selection]

_Array = TypeVar("_Array", bound=NDArray[Any])


def plan_leveller(material: Material, request: LevelRequest, select: SelectRows) -> Leveller:
    """Return a leveller that plans the training part as the whole dataset would be.

    Budget, floors and ceilings shrink with the part. The clusters are those of the whole dataset;
    limits on clusters without a row in the part fall away.

    Parameters
    ----------
    material : Material
        Of the whole dataset.
    request : LevelRequest
        As it is asked of the whole dataset.
    select : callable
        Picks the rows of a task of the whole dataset: rows that are not in the part have no slot
        in it and are no candidates.
    """

    def level(
        rows: NDArray[np.int64], alpha: float | None, size: int | None, seed: int
    ) -> TrainingSet:
        part = take_material(material, rows)
        asked = _scale(request, part, len(rows) / material.row_count, seed)
        if alpha is not None:
            asked = _temper(asked, alpha, size)

        def select_within(task: PickTask) -> Selection:
            found = select(_widen(task, rows, material.row_count))
            return replace(found, rows=np.searchsorted(rows, found.rows))

        return _as_training_set(make_plan(part, asked, select_within), rows)

    return level


def take_material(material: Material, rows: NDArray[np.int64]) -> Material:
    """Return the material of some rows, in ascending order."""
    groups = material.near_dup_groups
    return replace(
        material,
        labels=tuple(layer[rows] for layer in material.labels),
        nearest=_take(material.nearest, rows),
        centroid_distances=_take(material.centroid_distances, rows),
        near_dup_groups=None if groups is None else _take_groups(groups, rows),
        row_tokens=_take(material.row_tokens, rows),
        row_lengths=_take(material.row_lengths, rows),
    )


def _take(array: _Array | None, rows: NDArray[np.int64]) -> _Array | None:
    return None if array is None else cast(_Array, array[rows])


def _take_groups(groups: NDArray[np.int32], rows: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return groups named by a row of the part: the central row where it is there, else the first.

    A group is named by its central row's number, which is another one in the part.
    """
    names, firsts, index = np.unique(groups[rows], return_index=True, return_inverse=True)
    places = np.searchsorted(rows, names).clip(max=len(rows) - 1)
    return np.where(rows[places] == names, places, firsts)[index].astype(np.int32)


def _scale(request: LevelRequest, part: Material, share: float, seed: int) -> LevelRequest:
    """Return what the request comes to for a part with this share of the rows."""
    known = set(part.cluster_ids(part.find_layer(request.layer)).tolist())

    def there(limits: Mapping[int, float], factor: float = 1.0) -> dict[int, float]:
        return {
            cluster_id: value * factor
            for cluster_id, value in limits.items()
            if cluster_id in known or cluster_id == NOISE_ID
        }

    target = request.target
    if target.kind is TargetKind.CUSTOM:
        target = replace(target, shares=there(target.shares))
    return replace(
        request,
        target=target,
        budget=None if request.budget is None else max(1, round(request.budget * share)),
        pinned=there(request.pinned),
        floor=None if request.floor is None else request.floor * share,
        ceiling=None if request.ceiling is None else request.ceiling * share,
        floors=there(request.floors, share),
        ceilings=there(request.ceilings, share),
        seed=seed,
    )


def _temper(request: LevelRequest, alpha: float, size: int | None) -> LevelRequest:
    tempered = replace(request, target=Target(TargetKind.TEMPERED, alpha))
    if not request.chooses_rows:
        return tempered
    return replace(tempered, mode=Mode.ROWS, budget=size, budget_unit=BudgetUnit.ROWS)


def _widen(task: PickTask, rows: NDArray[np.int64], row_count: int) -> PickTask:
    """Return a task of the whole dataset in which the rows outside the part play no role."""
    labels = np.full(row_count, -1, dtype=np.int32)
    labels[rows] = task.labels
    groups = None
    if task.near_dup_groups is not None:
        groups = np.arange(row_count, dtype=np.int32)
        groups[rows] = rows[task.near_dup_groups]
    return replace(
        task,
        labels=labels,
        near_dup_groups=groups,
        candidates=_spread(task.candidates, rows, row_count),
        keepers=_spread(task.keepers, rows, row_count),
    )


def _spread(flags: NDArray[np.bool_], rows: NDArray[np.int64], row_count: int) -> NDArray[np.bool_]:
    whole = np.zeros(row_count, dtype=np.bool_)
    whole[rows] = flags
    return whole


def _as_training_set(plan: Plan, rows: NDArray[np.int64]) -> TrainingSet:
    if plan.request.chooses_rows:
        return TrainingSet(np.repeat(rows, plan.copies))
    kept = plan.copies > 0
    return TrainingSet(rows[kept], plan.sample_weight[kept])
