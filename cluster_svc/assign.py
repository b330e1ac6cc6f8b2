"""The clusters of new rows, from the landmarks of a clustering.

A new row goes where its nearest landmarks are: they vote with the weights that the row would have
to them in the fuzzy graph, so that it joins the community that its edges would draw it into. It is
noise where it lies sparser than its neighbours by the rule that marked noise in the clustering, and
where none of them is in a cluster.

On sentences and titles this agrees with clustering all rows anew nearly as well as two clusterings
do of which one lacks the new rows (median ARI 0 to 0.06 less); the nearest centroid agrees far less
(0.1 to 0.17 below this), and so does a linear classifier.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster_svc.assign_model import Assigned, AssignModel, check_floats
from cluster_svc.compiled import ReportFraction, for_each_block
from cluster_svc.density import DENSITY_NEIGHBOR
from cluster_svc.fuzzy import membership_weights
from cluster_svc.landmark_search import BLOCK_ROWS, find_nearest
from cluster_svc.landmarks import LANDMARK_NEIGHBOR_COUNT
from cluster_svc.layout.place import place
from cluster_svc.membership import measure_memberships
from cluster_svc.neighbors.blas import one_blas_thread
from cluster_svc.statistics import stats_of_sums, sum_clusters
from cluster_svc.vectors import FloatArray, IntArray, digest_rows, normalize_rows

__all__ = ["AssignModel", "Assigned", "assign_rows"]


def assign_rows(
    model: AssignModel,
    vectors: FloatArray,
    *,
    thread_count: int = 1,
    report: ReportFraction = lambda fraction: None,
) -> Assigned:
    """Return cluster, strength and position of new rows; none depends on the rows beside it.

    A row that is identical to a landmark has that landmark's label and position.

    Parameters
    ----------
    model : AssignModel
    vectors : float32 array of shape (rows, dimensions)
        Finite; of any length. There may be no row.
    thread_count : int
        At least 1; it does not change the result.
    report
        Called with the fraction done, 0 to 1.

    Raises
    ------
    FieldInvalid
        An array of the model or of the rows has the wrong shape or type, or holds what it may not.
    """
    model.check()
    check_floats("vectors", vectors, (len(vectors), model.vectors.shape[1]))
    known = _Known.prepare(model, thread_count)
    count = len(vectors)
    found = Assigned(
        np.empty(count, np.int32),
        np.empty(count, np.int32),
        np.empty(count, np.float32),
        None if model.positions is None else np.empty((count, 2), np.float32),
    )

    def assign(start: int, stop: int) -> None:
        part = known.assign_block(vectors[start:stop])
        found.labels[start:stop] = part.labels
        found.nearest[start:stop] = part.nearest
        found.strengths[start:stop] = part.strengths
        if found.positions is not None:
            found.positions[start:stop] = part.positions

    with one_blas_thread():
        for_each_block(assign, count, BLOCK_ROWS, thread_count=thread_count, report=report)
    return found


@dataclass(frozen=True)
class _Known:
    """A model made ready: directions, clusters numbered from 0, their centroids, sorted digests."""

    model: AssignModel
    units: FloatArray
    ids: IntArray
    numbers: IntArray
    centroids: FloatArray
    digests: NDArray[np.uint64]
    by_digest: NDArray[np.int64]

    @classmethod
    def prepare(cls, model: AssignModel, thread_count: int) -> _Known:
        units = normalize_rows(model.vectors, thread_count=thread_count)
        ids = np.unique(model.labels[model.labels >= 0])
        numbers = np.searchsorted(ids, model.labels).astype(np.int32)
        numbers[model.labels < 0] = -1
        sums = sum_clusters(units, numbers, np.ones(len(units), np.int64))
        digests = _digest(model.vectors)
        order = np.argsort(digests, kind="stable")
        return cls(
            model,
            units,
            np.append(ids, np.int32(-1)),
            numbers,
            stats_of_sums(*sums).centroids,
            digests[order],
            order,
        )

    def assign_block(self, vectors: FloatArray) -> Assigned:
        """Return where the rows of a block belong."""
        rows = slice(0, len(vectors))
        block = np.zeros((BLOCK_ROWS, vectors.shape[1]), np.float32)
        block[rows] = normalize_rows(vectors)
        k = min(LANDMARK_NEIGHBOR_COUNT, len(self.units))
        indices, distances = find_nearest(self.units, block, k)
        weights = membership_weights(distances)
        numbers = _vote(self.numbers[indices], weights)
        numbers[self._is_sparse(indices, distances)] = -1
        same, twins = self._find_twins(vectors)
        numbers[same] = self.numbers[twins]
        [membership] = measure_memberships(block, [(numbers, self.centroids)])
        positions = None
        if self.model.positions is not None:
            positions = self._place(self.model.positions, indices, weights, numbers)[rows]
            positions[same] = self.model.positions[twins]
        return Assigned(
            self.ids[numbers[rows]],
            self.ids[membership.nearest[rows]],
            membership.strengths[rows],
            positions,
        )

    def _find_twins(self, vectors: FloatArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows that are identical to a landmark, and the first such landmark of each."""
        digests = _digest(vectors)
        places = np.searchsorted(self.digests, digests)
        twins = self.by_digest[np.minimum(places, len(self.by_digest) - 1)]
        same = np.flatnonzero((vectors == self.model.vectors[twins]).all(axis=1))
        return same, twins[same]

    def _is_sparse(self, indices: IntArray, distances: FloatArray) -> NDArray[np.bool_]:
        own = distances[:, min(DENSITY_NEIGHBOR, distances.shape[1]) - 1]
        sparse: NDArray[np.bool_] = own > np.median(self.model.reaches[indices], axis=1)
        return sparse

    def _place(
        self, positions: FloatArray, indices: IntArray, weights: FloatArray, numbers: IntArray
    ) -> FloatArray:
        """Return positions among the neighbours of the row's cluster, of noise among all."""
        is_own = (self.numbers[indices] == numbers[:, None]) | (numbers[:, None] < 0)
        # Where others lie does not count: they stand with the nearest of the row's own, weightless.
        first = np.take_along_axis(indices, is_own.argmax(axis=1)[:, None], axis=1)
        chosen = np.where(is_own, indices, first)
        return place(positions[chosen], np.where(is_own, weights, np.float32(0)))


def _vote(numbers: IntArray, weights: FloatArray) -> IntArray:
    """Return the cluster with most weight among the neighbours of each row, -1 where all are noise.

    Of equal ones that of the nearest neighbour.
    """
    is_same = numbers[:, :, None] == numbers[:, None, :]
    votes = (is_same * weights[:, None, :]).sum(axis=2)
    winner = np.where(numbers < 0, -1, votes).argmax(axis=1)
    return np.take_along_axis(numbers, winner[:, None], axis=1)[:, 0]


def _digest(vectors: FloatArray) -> NDArray[np.uint64]:
    # A copy, for an array that cannot be written is another type to a compiled function.
    return digest_rows(np.array(vectors, order="C").view(np.uint32))
