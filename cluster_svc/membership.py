"""How firmly rows belong to clusters: the nearest cluster and the strength, in every layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cluster_svc.compiled import ReportFraction, for_each_block
from cluster_svc.vectors import FloatArray, IntArray

# The cosine distance of vectors that have nothing in common; stands in for a second cluster.
_UNRELATED = np.float32(1)

# Rows whose similarities to all centroids stay in a core's cache.
_BLOCK_ROWS = 512


@dataclass(frozen=True)
class Membership:
    """Of each row the cluster that it is nearest to, and how firmly it belongs there.

    Attributes
    ----------
    nearest : int32 array of shape (rows,)
        The own cluster of a clustered row; of a noise row the one with the nearest centroid by
        cosine, ties by number; -1 when there is no cluster at all.
    strengths : float32 array of shape (rows,)
        ``other / (own + other)``, where ``own`` is the cosine distance to the centroid of that
        cluster and ``other`` to the nearest other centroid, or 1, that of unrelated vectors, when
        there is no other: 1 on the centroid, 0.5 half-way between two, below 0.5 when another
        centroid is nearer. 0 when there is no cluster at all.
    gaps : float32 array of shape (rows,)
        ``own``, 0 to 2.
    """

    nearest: IntArray
    strengths: FloatArray
    gaps: FloatArray


def measure_memberships(
    units: FloatArray,
    layers: Sequence[tuple[IntArray, FloatArray]],
    *,
    thread_count: int = 1,
    report: ReportFraction = lambda fraction: None,
) -> list[Membership]:
    """Return the membership of each row in each layer.

    Parameters
    ----------
    units : float32 array of shape (rows, dimensions)
        Of length 1 or 0; rows, or nodes of a graph.
    layers
        For each layer the labels, an int32 array of shape (rows,) of cluster numbers from 0, -1 for
        noise, and the centroids, a float32 array of shape (clusters, dimensions).
    thread_count : int
        At least 1; it does not change the result as long as BLAS keeps to one thread.
    report
        Called with the fraction done, 0 to 1.
    """
    count = len(units)
    found = [
        Membership(labels.copy(), np.zeros(count, np.float32), np.zeros(count, np.float32))
        for labels, _ in layers
    ]
    # One product for all layers: the vectors are read once.
    centroids = np.concatenate([centroids for _, centroids in layers]).T.copy()
    columns = [0, *np.cumsum([len(centroids) for _, centroids in layers]).tolist()]

    def measure(start: int, stop: int) -> None:
        similarities = units[start:stop] @ centroids
        for membership, (first, end) in zip(found, pairwise(columns), strict=True):
            if end > first:
                _measure_block(similarities[:, first:end], membership, start, stop)

    for_each_block(measure, count, _BLOCK_ROWS, thread_count=thread_count, report=report)
    return found


def _measure_block(similarities: FloatArray, membership: Membership, start: int, stop: int) -> None:
    """Fill in the rows from ``start`` to ``stop``; spoils their similarities to the centroids."""
    nearest = membership.nearest[start:stop]
    noise = np.flatnonzero(nearest < 0)
    nearest[noise] = similarities[noise].argmax(axis=1)
    rows = np.arange(stop - start)
    own = np.clip(1 - similarities[rows, nearest], 0, 2)
    membership.gaps[start:stop] = own
    membership.strengths[start:stop] = _strengths(own, _other_gaps(similarities, rows, nearest))


def _other_gaps(similarities: FloatArray, rows: NDArray[np.int64], nearest: IntArray) -> FloatArray:
    """Return the distance of each row to the nearest other centroid."""
    if similarities.shape[1] == 1:
        return np.full(len(rows), _UNRELATED)
    similarities[rows, nearest] = -np.inf
    gaps: FloatArray = np.clip(1 - similarities.max(axis=1), 0, 2)
    return gaps


def _strengths(own: FloatArray, other: FloatArray) -> FloatArray:
    """Return ``other / (own + other)``; 0.5 where both are 0."""
    total = own + other
    return np.where(total > 0, other / np.where(total > 0, total, 1), np.float32(0.5))
