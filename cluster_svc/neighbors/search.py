"""Which search finds the neighbours: exact for few rows, approximate for many, or another's."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from cluster_svc.compiled import ReportFraction
from cluster_svc.neighbors.descent import approximate_neighbors
from cluster_svc.neighbors.exact import exact_neighbors
from cluster_svc.vectors import FloatArray, IntArray

# Exact search costs n^2, NN-descent about n; up to here the exact one takes at most 3 seconds of
# processor time at 384 dimensions. With longer lists NN-descent slows down more than it does.
EXACT_NODE_LIMIT = 20_000
_SHORT_LIST = 50


class NeighborSearch(Protocol):
    """Another engine's search for all rows."""

    def __call__(
        self, units: FloatArray, k: int, *, report: ReportFraction
    ) -> tuple[IntArray, FloatArray]:
        """Return the k nearest other rows of each unit vector and their cosine distances.

        Parameters
        ----------
        units : float32 array of shape (rows, dimensions)
            C-contiguous; a zero vector is at distance 1 from everything.
        k : int
            From 1 to ``rows - 1``.
        report
            Called with the fraction done, 0 to 1, at least every half second.

        Returns
        -------
        indices : int32 array of shape (rows, k)
            Nearest first, equal distances by index, never the row itself.
        distances : float32 array of shape (rows, k)
            0 to 2.
        """
        ...


def is_exact(node_count: int, k: int) -> bool:
    """Return True where this machine's search for ``k`` neighbours compares every pair of nodes."""
    return node_count <= EXACT_NODE_LIMIT * max(1, k // _SHORT_LIST)


def local_search(*, seed: int = 0, thread_count: int = 1) -> NeighborSearch:
    """Return the search on this machine's processor."""
    return partial(_search_here, seed=seed, thread_count=thread_count)


def _search_here(
    units: FloatArray, k: int, *, seed: int, thread_count: int, report: ReportFraction
) -> tuple[IntArray, FloatArray]:
    if not is_exact(len(units), k):
        return approximate_neighbors(units, k, seed=seed, thread_count=thread_count, report=report)
    return exact_neighbors(units, k, thread_count=thread_count, report=report)
