"""What levels the training part of a proof: weights by cluster, or the whole plan."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from levelling.proof.values import Leveller, TrainingSet


def weight_leveller(clusters: NDArray[np.int32], row_weights: NDArray[np.float64]) -> Leveller:
    """Return a leveller that keeps every row and changes its weight.

    Parameters
    ----------
    clusters : ndarray of shape (n_rows,), int32
        -1 for noise.
    row_weights : ndarray of shape (n_rows,), float64
        The weights that were asked for, at least 0, as in the weighted export.
    """

    def level(
        rows: NDArray[np.int64], alpha: float | None, size: int | None, seed: int
    ) -> TrainingSet:
        if alpha is None:
            return TrainingSet(rows, row_weights[rows])
        return TrainingSet(rows, tempered_weights(clusters[rows], alpha))

    return level


def tempered_weights(clusters: NDArray[np.int32], alpha: float) -> NDArray[np.float64]:
    """Return row weights that make cluster sizes proportional to ``n ** alpha``; noise has 1.

    Their mean over the rows in clusters is 1.
    """
    weights = np.ones(len(clusters))
    inside = clusters >= 0
    if not inside.any():
        return weights
    _, index, sizes = np.unique(clusters[inside], return_inverse=True, return_counts=True)
    wanted = sizes**alpha
    weights[inside] = (wanted / sizes * (sizes.sum() / wanted.sum()))[index]
    return weights
