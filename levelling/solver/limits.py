"""The limits of every size, where each comes from, and what they leave of a total."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from levelling.solver.items import FloatArray, Items
from levelling.solver.problem import Problem

# A weight times a row count is a whole number of rows to within rounding.
_WHOLE = 1e-9


@dataclass(frozen=True, eq=False)
class Limits:
    """What the sizes of a problem can be.

    Parameters
    ----------
    items : Items
        The clusters with their limits in effect.
    pinned, by_repeats, overruled : ndarray of shape (n_clusters,), bool
        Clusters whose size is given; whose upper limit is that of repeats; whose floor is above
        what repeats allow, which then holds.
    """

    items: Items
    pinned: NDArray[np.bool_]
    by_repeats: NDArray[np.bool_]
    overruled: NDArray[np.bool_]

    @property
    def least_total(self) -> float:
        """The least that the sizes can sum to."""
        return float(self.items.lower.sum())

    @property
    def greatest_total(self) -> float:
        """The most that the sizes can sum to, possibly infinite."""
        return float(self.items.upper.sum())


def limits_of(problem: Problem) -> Limits:
    """Return the limits of a problem, in whole rows where it has whole numbers."""
    base = problem.sizes_at_one
    lower = np.zeros(base.size) if problem.lower is None else problem.lower.astype(np.float64)
    upper = np.full(base.size, np.inf) if problem.upper is None else problem.upper.copy()
    pinned = (lower == upper) & (base > 0)
    if problem.whole_numbers:
        lower, upper = _whole(lower, upper)
    repeats = problem.repeat_limit
    reach = np.where(base > 0, np.inf if np.isinf(repeats) else repeats * np.maximum(base, 0), 0.0)
    overruled = lower > reach
    kept = pinned & (base > 0)
    lower = np.where(kept, lower, np.minimum(lower, reach))
    by_repeats = ~kept & (reach < upper)
    upper = np.where(kept, upper, np.minimum(upper, reach))
    sample = base if problem.sample_sizes is None else problem.sample_sizes.astype(np.float64)
    # An empty cluster has size 0 whatever its capacity, which must be above 0.
    capacity = np.where(sample > 0, sample, 1.0)
    items = Items(capacity, lower, upper)
    return Limits(items, pinned, by_repeats, overruled)


def _whole(lower: FloatArray, upper: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return limits moved inwards to whole rows; a pin, to the nearest."""
    least, most = np.ceil(lower - _WHOLE), np.floor(upper + _WHOLE)
    crossed = least > most
    nearest = np.rint(lower)
    return np.where(crossed, nearest, least), np.where(crossed, nearest, most)
