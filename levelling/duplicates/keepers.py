"""Which row of a group of near-duplicates stays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from levelling.request import KeepStrategy


def find_keepers(
    groups: NDArray[np.integer[Any]],
    ranks: NDArray[np.int64],
    candidates: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Return which row of each group stays: of those that may, the one of the lowest rank.

    Parameters
    ----------
    groups : ndarray of shape (n_rows,), int32 or int64
        The group of each row.
    ranks : ndarray of shape (n_rows,), int64
        A place for each row, as `rank_rows` gives them; no two rows have the same.
    candidates : ndarray of shape (n_rows,), bool
        The rows that may stay.

    Returns
    -------
    ndarray of shape (n_rows,), bool
        One True in each group that has a candidate.
    """
    rows = np.flatnonzero(candidates)
    order = rows[np.lexsort((ranks[rows], groups[rows]))]
    first = np.ones(order.size, bool)
    first[1:] = groups[order[1:]] != groups[order[:-1]]
    kept = np.zeros(groups.size, bool)
    kept[order[first]] = True
    return kept


def rank_rows(
    groups: NDArray[np.int32],
    keep: KeepStrategy,
    row_lengths: NDArray[np.int64] | None = None,
    centroid_distances: NDArray[np.float32] | None = None,
) -> NDArray[np.int64]:
    """Return the place of each row in the order in which the rows of a group are kept.

    Parameters
    ----------
    groups : ndarray of shape (n_rows,), int32
        As `NearDuplicates` has them: the id of a group is the number of its central row.
    keep : KeepStrategy
        CENTRAL: the central row, then those nearest to the centroid of their cluster. LONGEST:
        the longest text. FIRST, and between equals: the lowest row.
    row_lengths : ndarray of shape (n_rows,), int64, optional
        Characters of each row's text; needed for LONGEST.
    centroid_distances : ndarray of shape (n_rows,), float32, optional
        Cosine distance to the centroid of each row's cluster, NaN where there is none.

    Returns
    -------
    ndarray of shape (n_rows,), int64
        0 for the row that is kept before all others.
    """
    rows = np.arange(groups.size)
    if keep is KeepStrategy.LONGEST:
        assert row_lengths is not None
        order = np.lexsort((rows, -row_lengths))
    elif keep is KeepStrategy.CENTRAL:
        away = np.zeros(rows.size) if centroid_distances is None else centroid_distances
        order = np.lexsort((rows, away, groups != rows))
    else:
        order = rows
    ranks = np.empty(rows.size, np.int64)
    ranks[order] = rows
    return ranks
