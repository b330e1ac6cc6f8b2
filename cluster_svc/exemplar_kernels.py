"""The inner loops of choosing exemplars."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cluster_svc.compiled import kernel
from cluster_svc.vectors import FloatArray

LongArray = NDArray[np.int64]


@kernel
def take_facilities(
    similarities: FloatArray, weights: FloatArray, least_distance: float, found: LongArray
) -> None:
    """Write the first place, then one after the other the one that gains most; near ones aside."""
    size = len(similarities)
    covered = np.full(size, -1, np.float32)
    is_free = np.ones(size, np.bool_)
    best = 0
    for turn in range(len(found)):
        found[turn] = best
        for place in range(size):
            similarity = similarities[best, place]
            covered[place] = max(covered[place], similarity)
            is_free[place] &= 1 - similarity > least_distance
        is_free[best] = False
        most, best = np.float32(-1), -1
        for place in range(size):
            if not is_free[place]:
                continue
            gain = np.float32(0)
            for other in range(size):
                gain += weights[other] * max(similarities[place, other] - covered[other], 0)
            if gain > most:
                most, best = gain, place
        if best < 0:
            break


@kernel
def take_in_order(
    units: FloatArray,
    points: LongArray,
    starts: LongArray,
    least_distance: float,
    places: LongArray,
    first: int,
    last: int,
) -> None:
    """Fill up the places of clusters ``first`` to ``last`` with their points, in order.

    At first with points far enough from all that are taken, then with the near ones too.
    """
    k = places.shape[1]
    for cluster in range(first, last):
        taken = 0
        while taken < k and places[cluster, taken] >= 0:
            taken += 1
        for least in (least_distance, -1.0):
            for place in range(starts[cluster], starts[cluster + 1]):
                if taken == k:
                    break
                is_far, turn = True, 0
                while is_far and turn < taken:
                    other = places[cluster, turn]
                    similarity = np.float32(0)
                    if least >= 0:
                        for column in range(units.shape[1]):
                            left, right = units[points[place], column], units[points[other], column]
                            similarity += left * right
                    is_far = bool(other != place and 1 - similarity > least)
                    turn += 1
                if is_far:
                    places[cluster, taken] = place
                    taken += 1
