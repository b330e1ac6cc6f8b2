"""How far two partitions of the same rows agree, corrected for chance."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

Labels = NDArray[np.integer]


def adjusted_rand_index(one: Labels, other: Labels) -> float:
    """Return the ARI: 1 for equal partitions, about 0 for unrelated ones, at worst a little less.

    Labels are names only; -1 is a cluster like any other.

    Source: L. Hubert, P. Arabie, "Comparing partitions", Journal of Classification 2, 1985.
    """
    table, rows, columns = _contingency(one, other)
    together = _pairs(table).sum()
    expected = _pairs(rows).sum() * _pairs(columns).sum() / _pairs(np.array([rows.sum()]))[0]
    most = (_pairs(rows).sum() + _pairs(columns).sum()) / 2
    return float((together - expected) / (most - expected)) if most != expected else 1.0


def adjusted_mutual_information(one: Labels, other: Labels) -> float:
    """Return the AMI with the arithmetic mean: 1 for equal partitions, about 0 for unrelated ones.

    Source: N. X. Vinh, J. Epps, J. Bailey, "Information theoretic measures for clusterings
    comparison", JMLR 11, 2010.
    """
    table, rows, columns = _contingency(one, other)
    if len(rows) == len(columns) == 1:
        return 1.0
    count = rows.sum()
    held = table > 0
    shares = table[held] / count
    information = (shares * np.log(count * table[held] / np.outer(rows, columns)[held])).sum()
    expected = _expected_information(rows, columns)
    most = (_entropy(rows / count) + _entropy(columns / count)) / 2
    return float((information - expected) / (most - expected))


def _contingency(
    one: Labels, other: Labels
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return how many rows each pair of clusters shares, and the sizes on both sides."""
    _, left = np.unique(one, return_inverse=True)
    _, right = np.unique(other, return_inverse=True)
    width = int(right.max()) + 1
    flat = np.bincount(left * width + right, minlength=(int(left.max()) + 1) * width)
    table = flat.reshape(-1, width).astype(np.float64)
    return table, table.sum(axis=1), table.sum(axis=0)


def _pairs(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    return sizes * (sizes - 1) / 2


def _entropy(shares: NDArray[np.float64]) -> float:
    return float(-(shares * np.log(shares)).sum())


def _expected_information(rows: NDArray[np.float64], columns: NDArray[np.float64]) -> float:
    """Return the mutual information to expect of partitions with these sizes, in nats.

    Pairs of equal sizes give equal terms, so each pair of sizes is looked at once.
    """
    count = float(rows.sum())
    left, left_times = np.unique(rows, return_counts=True)
    right, right_times = np.unique(columns, return_counts=True)
    expected = 0.0
    for a, a_times in zip(left, left_times, strict=True):
        for b, b_times in zip(right, right_times, strict=True):
            expected += a_times * b_times * _expected_term(a, b, count)
    return expected


def _expected_term(a: float, b: float, count: float) -> float:
    shared = np.arange(max(1.0, a + b - count), min(a, b) + 1)
    log_chance = (
        gammaln(a + 1)
        + gammaln(b + 1)
        + gammaln(count - a + 1)
        + gammaln(count - b + 1)
        - gammaln(count + 1)
        - gammaln(shared + 1)
        - gammaln(a - shared + 1)
        - gammaln(b - shared + 1)
        - gammaln(count - a - b + shared + 1)
    )
    information = shared / count * np.log(count * shared / (a * b))
    return float((information * np.exp(log_chance)).sum())
