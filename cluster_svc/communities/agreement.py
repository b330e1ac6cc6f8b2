"""How much two partitions agree, beyond chance.

Sources: L. Hubert, P. Arabie, "Comparing partitions", Journal of Classification 2, 1985; N. Vinh,
J. Epps, J. Bailey, "Information theoretic measures for clusterings comparison", JMLR 2010.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from cluster_svc.compiled import kernel
from cluster_svc.vectors import IntArray

# Chances below this share of the largest do not show in a double's sum.
_SMALLEST_CHANCE = 1e-12

# Pairs of labels from which sorting takes less memory than counting.
_LARGEST_TABLE = 4_000_000


def adjusted_rand_index(first: IntArray, second: IntArray) -> float:
    """Return 1 for equal partitions, 0 for what chance gives: by pairs of nodes kept together.

    Parameters
    ----------
    first, second : int32 arrays of shape (nodes,)
        Labels from 0; nodes with a label below 0 in either are left out.

    Returns
    -------
    float
        At most 1; 0 when either has fewer than two clusters.
    """
    tables = _cross(first, second)
    if tables is None:
        return 0.0
    rows, columns, cells = (float((size * (size - 1.0)).sum()) for size in tables)
    total = float(tables[0].sum())
    chance = rows * columns / (total * (total - 1))
    room = (rows + columns) / 2 - chance
    return (cells - chance) / room if room > 0 else 1.0


def adjusted_mutual_information(first: IntArray, second: IntArray) -> float:
    """Return 1 for equal partitions, 0 for what chance gives, as unrelated ones have.

    The mean of both entropies is the scale, as in scikit-learn.

    Parameters
    ----------
    first, second : int32 arrays of shape (nodes,)
        Labels from 0; nodes with a label below 0 in either are left out.

    Returns
    -------
    float
        At most 1; 0 when either has fewer than two clusters.
    """
    tables = _cross(first, second)
    if tables is None:
        return 0.0
    rows, columns, cells = tables
    total = int(rows.sum())
    entropies = _entropy(rows, total) + _entropy(columns, total)
    mutual = entropies - _entropy(cells, total)
    expected = _expected_information(rows, columns, total)
    room = max(entropies / 2 - expected, np.finfo(np.float64).eps)
    return float(min(1.0, (mutual - expected) / room))


def _cross(
    first: IntArray, second: IntArray
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] | None:
    """Return the sizes of both partitions' clusters and of what pairs of them share.

    None when either has fewer than two clusters.
    """
    both = (first >= 0) & (second >= 0)
    first, second = first[both], second[both]
    rows, columns = np.bincount(first), np.bincount(second)
    if np.count_nonzero(rows) < 2 or np.count_nonzero(columns) < 2:
        return None
    cells = _count_cells(first, second, len(columns))
    return rows[rows > 0], columns[columns > 0], cells


def _count_cells(first: IntArray, second: IntArray, column_count: int) -> NDArray[np.int64]:
    """Return how many nodes each pair of labels has, pairs without any in any number."""
    cells = first.astype(np.int64) * column_count + second
    if cells.max() < _LARGEST_TABLE:
        counts: NDArray[np.int64] = np.bincount(cells)
    else:
        counts = np.unique(cells, return_counts=True)[1]
    return counts


def _entropy(counts: NDArray[np.int64], total: int) -> float:
    return float(np.log(total) - xlogy(counts, counts).sum() / total)


def _expected_information(rows: NDArray[np.int64], columns: NDArray[np.int64], total: int) -> float:
    """Return the mutual information that partitions of these sizes have by chance."""
    # Equal sizes give equal terms, and many small clusters have few sizes among them.
    row_sizes, row_times = np.unique(rows, return_counts=True)
    column_sizes, column_times = np.unique(columns, return_counts=True)
    return float(_sum_chances(row_sizes, row_times, column_sizes, column_times, total))


@kernel
def _sum_chances(
    row_sizes: NDArray[np.int64],
    row_times: NDArray[np.int64],
    column_sizes: NDArray[np.int64],
    column_times: NDArray[np.int64],
    total: int,
) -> float:
    """Return the sum over cells of the expected ``n/N log(N n / (a b))``, n hypergeometric."""
    log_factorials = np.zeros(total + 1)
    for number in range(2, total + 1):
        log_factorials[number] = log_factorials[number - 1] + math.log(number)
    expected = 0.0
    for row in range(len(row_sizes)):
        a = row_sizes[row]
        for column in range(len(column_sizes)):
            b = column_sizes[column]
            mode = (a + 1) * (b + 1) // (total + 2)
            # The chance of the mode, then of its neighbours by their ratios.
            top = math.exp(
                log_factorials[a]
                + log_factorials[b]
                + log_factorials[total - a]
                + log_factorials[total - b]
                - log_factorials[total]
                - log_factorials[mode]
                - log_factorials[a - mode]
                - log_factorials[b - mode]
                - log_factorials[total - a - b + mode]
            )
            shift = math.log(total) - math.log(a) - math.log(b)
            cell, chance, count = 0.0, top, mode
            while chance > _SMALLEST_CHANCE * top and count >= 1:
                cell += chance * count * (math.log(count) + shift)
                chance *= count * (total - a - b + count) / ((a - count + 1) * (b - count + 1))
                count -= 1
            chance, count = top, mode
            while chance > _SMALLEST_CHANCE * top and count < min(a, b):
                chance *= (a - count) * (b - count) / ((count + 1) * (total - a - b + count + 1))
                count += 1
                cell += chance * count * (math.log(count) + shift)
            expected += cell * row_times[row] * column_times[column]
    return expected / total
