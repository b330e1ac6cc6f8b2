"""How evenly rows are spread over clusters, and what the weights that spread them cost.

Sizes are effective sizes: rows times weight. Every function scales its input by the largest value
first, so that the figures do not depend on the unit of the weights and nothing overflows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from levelling.errors import InvalidGroup
from levelling.groups import NOISE_ID, Groups


@dataclass(frozen=True)
class Balance:
    """How level a dataset is at some weights, and what those weights cost.

    Parameters
    ----------
    gini : float
        Gini coefficient of the clusters' effective sizes, 0 to 1 - 1/K; noise does not count.
    flatness : float
        The same as a share of what is possible: 1 is level, 0 is one hill.
    cluster_count : int
        Clusters, those without rows or weight included.
    effective_clusters : float
        How many clusters of equal size are as even as these, 0 to ``cluster_count``.
    row_count : int
        Rows with a weight above 0, noise included.
    noise_count : int
        Rows in no cluster, whatever their weight.
    effective_sample_size : float
        How many rows of equal weight say as much as these, 0 to ``row_count``.
    effective_sample_share : float
        The same as a share of all rows, those of weight 0 included, 0 to 1; 1 without rows.
    design_effect : float
        ``row_count / effective_sample_size``, at least 1.
    max_repeat : float
        The most often any row is repeated, at least 1 when there is a row to repeat.
    dropped_row_count : int
        Rows of weight 0, noise included.
    duplicate_count : int
        How many of these were dropped as near-duplicates of others. Groups do not tell: 0 from
        `measure`, for whoever drops rows to fill in.
    """

    gini: float
    flatness: float
    cluster_count: int
    effective_clusters: float
    row_count: int
    noise_count: int
    effective_sample_size: float
    effective_sample_share: float
    design_effect: float
    max_repeat: float
    dropped_row_count: int
    duplicate_count: int = 0


def measure(groups: Groups) -> Balance:
    """Return every figure of balance, from groups alone: no row is touched.

    Parameters
    ----------
    groups : Groups
        All rows of the dataset, noise included.

    Returns
    -------
    Balance
        Takes O(n_groups log n_groups) time, whatever the number of rows.
    """
    weights, counts = groups.row_weights, groups.row_counts
    sizes = _cluster_sizes(groups)
    sample, row_count = effective_sample_size(weights, counts), int(counts.sum())
    return Balance(
        gini=compute_gini_coefficient(sizes),
        flatness=flatness(sizes),
        cluster_count=sizes.size,
        effective_clusters=effective_clusters(sizes),
        row_count=int(counts[weights > 0].sum()),
        noise_count=int(counts[groups.cluster_ids == NOISE_ID].sum()),
        effective_sample_size=sample,
        effective_sample_share=sample / row_count if row_count else 1.0,
        design_effect=design_effect(weights, counts),
        max_repeat=max_repeat(weights, counts),
        dropped_row_count=int(counts[weights == 0].sum()),
    )


def compute_gini_coefficient(sizes: ArrayLike) -> float:
    """Return how unequal sizes are: 0 when all are equal, 1 - 1/K when one of K has everything.

    With sizes ascending and i = 1..K: ``2 sum(i s_i) / (K sum(s_i)) - (K + 1) / K``.

    Parameters
    ----------
    sizes : array_like of shape (n_clusters,)
        Effective sizes, finite and at least 0, in any order.

    Returns
    -------
    float
        0 as well when there are no sizes, or all are 0.

    Raises
    ------
    InvalidGroup
        If a size is negative or not finite.

    References
    ----------
    Gini, C. (1912). Variabilità e mutabilità. The rank form is that of Sen, A. (1973), On Economic
    Inequality, section 2.7.
    """
    shares = np.sort(_scaled(sizes))
    count, total = shares.size, shares.sum()
    if total == 0:
        return 0.0
    # sum((2i - K - 1) s_i) equals the formula's numerator and is exactly 0 for equal sizes.
    ranks = 2.0 * np.arange(1, count + 1) - count - 1
    return float(np.clip(ranks @ shares / (count * total), 0.0, 1 - 1 / count))


def flatness(sizes: ArrayLike) -> float:
    """Return how level sizes are: 1 when all are equal, 0 when one has everything.

    ``1 - Gini K / (K - 1)``: the Gini coefficient as a share of its largest value for K sizes.

    Parameters
    ----------
    sizes : array_like of shape (n_clusters,)
        Effective sizes, finite and at least 0.

    Returns
    -------
    float
        1 as well when there are fewer than two sizes, or all are 0.
    """
    count = np.size(sizes)
    gini = compute_gini_coefficient(sizes)
    return 1.0 if count < 2 else float(np.clip(1 - gini * count / (count - 1), 0.0, 1.0))


def effective_clusters(sizes: ArrayLike) -> float:
    """Return how many clusters of equal size are as even as these: exp of the entropy.

    ``exp(-sum(p_k ln p_k))`` with ``p_k = s_k / sum(s)``; a cluster of size 0 adds nothing.

    Parameters
    ----------
    sizes : array_like of shape (n_clusters,)
        Effective sizes, finite and at least 0.

    Returns
    -------
    float
        From 1 to the number of sizes above 0; 0 when there is none.

    References
    ----------
    Hill, M. O. (1973). Diversity and evenness: a unifying notation and its consequences. Ecology
    54(2), 427-432: the diversity number of order 1.
    """
    scaled = _scaled(sizes)
    occupied = scaled[scaled > 0]
    if occupied.size == 0:
        return 0.0
    shares = occupied / occupied.sum()
    # A share can be so small that it rounds to 0, where p ln p tends to 0.
    shares = shares[shares > 0]
    return float(np.clip(np.exp(-(shares @ np.log(shares))), 1.0, occupied.size))


def effective_sample_size(weights: ArrayLike, counts: ArrayLike | None = None) -> float:
    """Return how many rows of equal weight say as much as these rows: Kish's sample size.

    ``(sum w)^2 / sum(w^2)`` over rows.

    Parameters
    ----------
    weights : array_like of shape (n_groups,)
        Weights of rows, finite and at least 0.
    counts : array_like of shape (n_groups,), optional
        How many rows have each weight; one when not given.

    Returns
    -------
    float
        At most the number of rows with a weight above 0; 0 when there is none.

    References
    ----------
    Kish, L. (1965). Survey Sampling. Wiley, section 11.7.
    """
    scaled, rows = _weighted_rows(weights, counts)
    if rows.size == 0:
        return 0.0
    return float(min((rows @ scaled) ** 2 / (rows @ scaled**2), rows.sum()))


def design_effect(weights: ArrayLike, counts: ArrayLike | None = None) -> float:
    """Return by what factor unequal weights widen the variance of an estimate.

    ``N / effective_sample_size``, where N is the number of rows with a weight above 0.

    Parameters
    ----------
    weights : array_like of shape (n_groups,)
        Weights of rows, finite and at least 0.
    counts : array_like of shape (n_groups,), optional
        How many rows have each weight; one when not given.

    Returns
    -------
    float
        At least 1; 1 as well when no row has a weight above 0.

    References
    ----------
    Kish, L. (1992). Weighting for unequal Pi. Journal of Official Statistics 8(2), 183-200.
    """
    _, rows = _weighted_rows(weights, counts)
    if rows.size == 0:
        return 1.0
    return max(1.0, float(rows.sum() / effective_sample_size(weights, counts)))


def max_repeat(weights: ArrayLike, counts: ArrayLike | None = None) -> float:
    """Return the most often any row is repeated when as many rows are drawn as there are.

    The largest weight over the mean weight of all rows, those of weight 0 included: the largest
    value in the weighted export, and the expected copies of its row in a resampled export of the
    default length, which holds this number of copies rounded down or up.

    Parameters
    ----------
    weights : array_like of shape (n_groups,)
        Weights of rows, finite and at least 0.
    counts : array_like of shape (n_groups,), optional
        How many rows have each weight; one when not given.

    Returns
    -------
    float
        1 when all weights are equal and above 0; 0 when no row has a weight above 0.
    """
    scaled, rows = _weighted_rows(weights, counts)
    if rows.size == 0:
        return 0.0
    row_count = np.size(weights) if counts is None else np.sum(counts)
    return max(1.0, float(scaled.max() * row_count / (rows @ scaled)))


def _cluster_sizes(groups: Groups) -> NDArray[np.float64]:
    hills = groups.cluster_ids != NOISE_ID
    ids, index = np.unique(groups.cluster_ids[hills], return_inverse=True)
    scaled = _scaled(groups.row_weights[hills])
    sizes = np.bincount(index, weights=scaled * groups.row_counts[hills], minlength=ids.size)
    return sizes.astype(np.float64, copy=False)


def _scaled(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all() or (array < 0).any():
        raise InvalidGroup("sizes and weights must be a list of finite numbers of at least 0")
    largest = array.max(initial=0.0)
    return array / largest if largest > 0 else array


def _weighted_rows(
    weights: ArrayLike, counts: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weights, the largest of them 1, and row counts, of the groups that weigh something."""
    array = np.asarray(weights, dtype=np.float64)
    rows = np.ones(array.shape) if counts is None else np.asarray(counts, dtype=np.float64)
    if rows.shape != array.shape:
        raise InvalidGroup("there must be as many counts as weights")
    weighty = (rows > 0) & (array != 0)
    return _scaled(array[weighty]), rows[weighty]
