"""A plan: which rows a levelled dataset has, how often, how heavy, and why not the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from levelling.measures import Balance
from levelling.request import LevelRequest
from levelling.solver import Solution


@dataclass(frozen=True, eq=False)
class Coverage:
    """How well the kept rows stand for those that are not.

    Parameters
    ----------
    cluster_ids : ndarray of shape (n_slots,), int64
        The clusters of the levelled layer, then -1 for noise.
    shares : ndarray of shape (n_slots,), float64
        The share of each cluster's rows that are within `distance` of a kept row, 0 to 1.
    distance : float
        A cosine distance, 0 to 2.
    """

    cluster_ids: NDArray[np.int64]
    shares: NDArray[np.float64]
    distance: float


@dataclass(frozen=True, eq=False)
class Plan:
    """A levelled dataset, row by row.

    Parameters
    ----------
    request : LevelRequest
        What was asked for.
    layer : int
        The layer that was levelled.
    labels : ndarray of shape (n_rows,), int32
        The cluster of each row in that layer, after the noise policy; -1 for noise.
    copies : ndarray of shape (n_rows,), int32
        How often each row stands in the levelled dataset, 0 for those that are dropped.
    sample_weight : ndarray of shape (n_rows,), float64
        How much each row counts, its copies included: mean 1 over the kept rows, 0 for others.
    reasons : ndarray of shape (n_rows,), uint8
        A `levelling.plans.reasons.Reason` for each row.
    cluster_ids : ndarray of shape (n_clusters,), int64
        The clusters of the layer, rising, those included that lost all rows.
    sizes_before, sizes_after : ndarray of shape (n_clusters,), float64
        Their rows, and their effective sizes in the levelled dataset.
    cluster_weights : mapping of int to float
        For every cluster of the finest layer what the levelled dataset has of it, relative to the
        rows it had: the weight that shows this plan as a terrain.
    noise_weight : float
        The same for the rows that were noise; 1 where there are none.
    before, after : Balance
        The figures of all rows at weight 1, and of the levelled rows. Of `after`, `max_repeat` is
        the largest sample weight, or the most copies where rows are picked, and `noise_count` the
        noise that is kept.
    token_count : int, optional
        The tokens of the levelled rows, copies included, where those of each row are known.
    coverage : Coverage, optional
        Where rows were picked.
    solution : Solution, optional
        What the solver found; None where the picked rows alone decide.
    notes : tuple of str
        What was asked for and cannot be had, and what was done instead, in plain sentences.
    """

    request: LevelRequest
    layer: int
    labels: NDArray[np.int32]
    copies: NDArray[np.int32]
    sample_weight: NDArray[np.float64]
    reasons: NDArray[np.uint8]
    cluster_ids: NDArray[np.int64]
    sizes_before: NDArray[np.float64]
    sizes_after: NDArray[np.float64]
    cluster_weights: Mapping[int, float]
    noise_weight: float
    before: Balance
    after: Balance
    token_count: int | None
    coverage: Coverage | None
    solution: Solution | None
    notes: tuple[str, ...]
