"""Points that lie around each other, covered by stars; for groups of near-duplicates."""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array


def find_stars(angles: csr_array, row_counts: NDArray[np.int64], reach: float) -> NDArray[np.int64]:
    """Return the centre of each point's star.

    Greedily: the point with most rows around it takes the points that it reaches, then the next
    that is free. What it takes is in no other star.

    Parameters
    ----------
    angles : sparse array of shape (n_points, n_points), float64
        Symmetric: the angle between points that are near each other, in radians, above 0.
    row_counts : ndarray of shape (n_points,), int64
        How many rows each point stands for.
    reach : float
        The longest way from a centre to a point of its star, in radians, over free points.

    Returns
    -------
    ndarray of shape (n_points,), int64
        A point near no other is its own centre.
    """
    centres = np.arange(row_counts.size, dtype=np.int64)
    around = angles.indptr[1:] > angles.indptr[:-1]
    covered = row_counts + (angles != 0).astype(np.int64) @ row_counts
    # Most rows around first, of as many the nearer ones, then the lower number.
    order = np.lexsort((angles @ row_counts, -covered))
    stars = _Stars(angles, reach)
    for centre in order[around[order]].tolist():
        if stars.is_free(centre):
            centres[stars.take_around(centre)] = centre
    return centres


class _Stars:
    """Which points are in no star yet, and how near the others came to them.

    Stars are grown by Dijkstra's algorithm over free points alone, so that all of them together
    pass each edge once.
    """

    def __init__(self, angles: csr_array, reach: float) -> None:
        """Start with every point free; ways of up to `reach` belong to a star."""
        self._starts: list[int] = angles.indptr.tolist()
        self._ends, self._lengths, self._reach = angles.indices, angles.data, reach
        self._is_free = [True] * angles.shape[0]
        self._ways = [inf] * angles.shape[0]

    def is_free(self, point: int) -> bool:
        """Whether no star has taken the point."""
        return self._is_free[point]

    def take_around(self, centre: int) -> list[int]:
        """Take the free points that the centre reaches, itself first, and return them."""
        taken: list[int] = []
        touched, queue = [centre], [(0.0, centre)]
        while queue:
            way, point = heappop(queue)
            if self._is_free[point]:
                self._is_free[point] = False
                taken.append(point)
                self._look_around(point, way, queue, touched)
        for point in touched:
            self._ways[point] = inf
        return taken

    def _look_around(
        self, point: int, way: float, queue: list[tuple[float, int]], touched: list[int]
    ) -> None:
        free, ways, reach = self._is_free, self._ways, self._reach
        edges = slice(self._starts[point], self._starts[point + 1])
        for length, end in zip(
            self._lengths[edges].tolist(), self._ends[edges].tolist(), strict=True
        ):
            longer = way + length
            if free[end] and longer <= reach and longer < ways[end]:
                ways[end] = longer
                touched.append(end)
                heappush(queue, (longer, end))
