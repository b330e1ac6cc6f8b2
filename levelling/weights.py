"""The weight of each row, as the weighted export carries it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from levelling.errors import InvalidGroup
from levelling.groups import NOISE_ID


def row_weights(
    labels: ArrayLike, cluster_weights: Mapping[int, float], noise_weight: float = 1.0
) -> NDArray[np.float64]:
    """Return the weight of each row: its cluster's weight, scaled to mean 1 over all rows.

    Mean 1 keeps the sum of the weights at the number of rows, so that learning rates and
    regularisers that were tuned without weights keep their meaning.

    Parameters
    ----------
    labels : array_like of shape (n_rows,), int
        The cluster of each row, -1 for noise.
    cluster_weights : mapping of int to float
        The weight of each cluster, finite and at least 0; a cluster that is not named has 1.
    noise_weight : float
        The weight of noise, finite and at least 0.

    Returns
    -------
    ndarray of shape (n_rows,), float64
        All 1 when all rows have the same weight; empty when there are no rows.

    Raises
    ------
    InvalidGroup
        If a weight is negative or not finite, or every row has weight 0.
    """
    ids, index, counts = np.unique(
        np.asarray(labels, dtype=np.int64), return_inverse=True, return_counts=True
    )
    if ids.size == 0:
        return np.empty(0)
    wanted = {**cluster_weights, NOISE_ID: noise_weight}
    weights = np.array([wanted.get(cluster_id, 1.0) for cluster_id in ids.tolist()])
    _check(ids, weights)
    # Relative to the largest first: equal weights become exactly 1, and no sum overflows.
    relative = weights / weights.max()
    mean = counts @ relative / counts.sum()
    scaled: NDArray[np.float64] = (relative / mean)[index]
    return scaled


def _check(ids: NDArray[np.int64], weights: NDArray[np.float64]) -> None:
    bad = ~np.isfinite(weights) | (weights < 0)
    if bad.any():
        cluster_id = int(ids[int(bad.argmax())])
        message = f"the weight of cluster {cluster_id} must be finite and at least 0"
        raise InvalidGroup(message, cluster_id=cluster_id, field="weight")
    if not weights.any():
        raise InvalidGroup("every row has weight 0; give at least one cluster a weight above 0")
