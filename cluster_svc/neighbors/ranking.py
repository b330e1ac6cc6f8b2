"""Candidates ranked by a distance that does not depend on how they were found.

Similarities from a matrix product vary in their last bits with the shape of the product, the
library and the device. Here every distance is a sum in one order, in float64, of the squared
differences: ``1 - cos`` is half of it between unit vectors, and near zero it keeps the digits that
``1 - a.b`` loses.
"""

from __future__ import annotations

import numpy as np

from cluster_svc.compiled import kernel
from cluster_svc.vectors import FloatArray, IntArray

# No similarity of two unit vectors found in float32 is farther than this from the true one.
SIMILARITY_ERROR = 2e-6

# The square of a unit vector's length differs from 1 by less.
_ROUNDING = 1e-5


def candidate_count(k: int) -> int:
    """Return how many candidates per row `rank_candidates` should be given for ``k`` neighbours.

    The more, the seldomer it must search a row anew.
    """
    return k + 8


def rank_candidates(
    units: FloatArray, start: int, candidates: IntArray, bounds: FloatArray, k: int
) -> tuple[IntArray, FloatArray]:
    """Return the k nearest other rows of rows ``start`` and after.

    A row whose candidates cannot be shown to hold them, for near ties at the end of the list, is
    compared with every other row instead. So the result does not depend on where candidates come
    from.

    Parameters
    ----------
    units : float32 array of shape (rows, dimensions)
        Unit vectors; a zero vector is at distance 1 from everything.
    candidates : int32 array of shape (queries, candidates)
        Different rows in any order; -1 and the row itself are ignored.
    bounds : float32 array of shape (queries,)
        No row outside the candidates is more similar than this, by float32 arithmetic;
        -inf where all others are candidates.
    k : int
        At most the number of other rows.

    Returns
    -------
    indices : int32 array of shape (queries, k)
        Nearest first, equal distances by index.
    distances : float32 array of shape (queries, k)
        Cosine distances, 0 to 2.
    """
    indices = np.empty((len(candidates), k), np.int32)
    distances = np.empty((len(candidates), k), np.float32)
    if k:
        _rank_rows(
            units, start, np.ascontiguousarray(candidates), bounds.astype(np.float32),
            SIMILARITY_ERROR, indices, distances,
        )  # fmt: skip
    return indices, distances


@kernel
def cosine_distance(units: FloatArray, row: int, other: int | np.int64) -> np.float32:
    """Return ``1 - cos`` of two unit vectors; 1 where one of them is zero."""
    square = 0.0
    for place in range(units.shape[1]):
        difference = np.float64(units[row, place]) - np.float64(units[other, place])
        square += difference * difference
    # So it is when one of them is zero, or both are; else seldom.
    if abs(square - 1) < _ROUNDING or square == 0:
        own, others = 0.0, 0.0
        for place in range(units.shape[1]):
            own += abs(units[row, place])
            others += abs(units[other, place])
        if own == 0 or others == 0:
            return np.float32(1)
    return np.float32(min(square / 2, 2.0))


@kernel
def _insert_nearest(
    indices: IntArray,
    distances: FloatArray,
    found: int,
    other: int | np.int64,
    distance: np.float32,
) -> int:
    """Insert a neighbour into one row's list, nearest first and full at its length.

    Equal distances go by index. Returns how many there are now.
    """
    place = min(found, len(indices) - 1)
    if found == len(indices) and (
        distance > distances[place] or (distance == distances[place] and other > indices[place])
    ):
        return found
    while place > 0 and (
        distance < distances[place - 1]
        or (distance == distances[place - 1] and other < indices[place - 1])
    ):
        indices[place], distances[place] = indices[place - 1], distances[place - 1]
        place -= 1
    indices[place], distances[place] = other, distance
    return min(found + 1, len(indices))


@kernel
def _rank_rows(
    units: FloatArray,
    start: int,
    candidates: IntArray,
    bounds: FloatArray,
    error: float,
    indices: IntArray,
    distances: FloatArray,
) -> None:
    """Write the nearest rows of each query, nearest first; at first only among the candidates."""
    k = indices.shape[1]
    for query in range(len(candidates)):
        row = start + query
        for attempt in range(2):
            others = candidates.shape[1] if attempt == 0 else len(units)
            found = 0
            for place in range(others):
                other = np.int64(candidates[query, place]) if attempt == 0 else np.int64(place)
                if other >= 0 and other != row:
                    distance = cosine_distance(units, row, other)
                    found = _insert_nearest(
                        indices[query], distances[query], found, other, distance
                    )
            if found == k and distances[query, k - 1] + error < 1 - bounds[query]:
                break
