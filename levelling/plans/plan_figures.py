"""The figures of a levelled dataset, from the weight of each row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from levelling.groups import NOISE_ID, Groups
from levelling.measures import Balance, measure
from levelling.plans.pool import Pool


def measure_rows(pool: Pool, weights: NDArray[np.float64]) -> Balance:
    """Return the figures of the rows that are kept, with those that are not as its cost.

    Parameters
    ----------
    pool : Pool
    weights : ndarray of shape (n_rows,), float64
        How much each row counts, in any unit; 0 for rows that are not kept.

    Returns
    -------
    Balance
        `max_repeat` is the largest weight over the mean of the kept rows, and `noise_count` counts
        kept rows.
    """
    kept = weights > 0
    balance = measure_labels(pool.labels, pool.cluster_ids, weights)
    mean = float(weights[kept].mean()) if kept.any() else 1.0
    return replace(
        balance,
        noise_count=int(np.count_nonzero(kept & (pool.slots == pool.noise_slot))),
        max_repeat=float(weights.max(initial=0.0)) / mean,
    )


def measure_labels(
    labels: NDArray[np.int32], cluster_ids: NDArray[np.int64], weights: NDArray[np.float64]
) -> Balance:
    """Return the figures of rows; clusters of `cluster_ids` that have none count all the same."""
    rows = np.ones(labels.size, np.int64)
    empty = np.zeros(cluster_ids.size)
    return measure(
        Groups(
            cluster_ids=np.concatenate([labels, cluster_ids]).astype(np.int64),
            row_weights=np.concatenate([weights, empty]),
            row_counts=np.concatenate([rows, empty.astype(np.int64)]),
        )
    )


def mean_weights(
    labels: NDArray[np.int32], weights: NDArray[np.float64]
) -> tuple[dict[int, float], float]:
    """Return the mean weight of the rows of each cluster, and of noise.

    Exactly the weight that all rows of a cluster have, where they have one.

    Returns
    -------
    cluster_weights : dict of int to float
    noise_weight : float
        1 where there is no noise.
    """
    ids, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
    lowest, highest = np.full(ids.size, np.inf), np.zeros(ids.size)
    np.minimum.at(lowest, index, weights)
    np.maximum.at(highest, index, weights)
    means = np.bincount(index, weights=weights, minlength=ids.size) / counts
    found = dict(zip(ids.tolist(), np.clip(means, lowest, highest).tolist(), strict=True))
    noise_weight = found.pop(NOISE_ID, 1.0)
    return found, noise_weight
