"""A plan in the making: what is settled so far, and what is to be picked next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from levelling.plans.material import Material
from levelling.plans.picks import PickTask, Selection
from levelling.plans.pool import Pool
from levelling.plans.row_quotas import Supply
from levelling.request import LevelRequest
from levelling.solver import Problem, Solution


@dataclass(frozen=True, eq=False)
class Prepared:
    """A plan in the making.

    Parameters
    ----------
    material : Material
    request : LevelRequest
    layer : int
        The layer that is levelled.
    pool : Pool
        The rows that may be kept.
    task : PickTask, optional
        What is to be picked next; None when nothing is.
    problem : Problem, optional
        What the solver was asked; None while the picked rows alone decide.
    solution : Solution, optional
        What it found.
    weights : ndarray of shape (n_rows,), float64, optional
        How much each row counts, where weights are changed.
    supply : Supply, optional
        What there is to pick from, where rows are picked.
    counts : ndarray of shape (n_slots,), int64, optional
        How many rows each slot is to have, where that is known.
    picked : ndarray of shape (n_slots,), int64, optional
        How many a first, free pick took of each.
    selection : Selection, optional
        The rows that were picked.
    is_draft : bool
        Whether the task only tells what the quotas are to be like.
    is_corrected : bool
        Whether costs are those of picked rows.
    """

    material: Material
    request: LevelRequest
    layer: int
    pool: Pool
    task: PickTask | None = None
    problem: Problem | None = None
    solution: Solution | None = None
    weights: NDArray[np.float64] | None = None
    supply: Supply | None = None
    counts: NDArray[np.int64] | None = None
    picked: NDArray[np.int64] | None = None
    selection: Selection | None = None
    is_draft: bool = False
    is_corrected: bool = False
