"""Random-projection trees: near vectors mostly end in the same leaf.

Source of the trees: S. Dasgupta, Y. Freund, "Random projection trees and low dimensional
manifolds", STOC 2008. Here every split is at the median, so all leaves are equally large, and goes
along the difference of two groups' means rather than along any direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cluster_svc.compiled import ReportFraction, for_each_block, kernel
from cluster_svc.neighbors.blas import one_blas_thread
from cluster_svc.progress import part_of
from cluster_svc.vectors import FloatArray, IntArray, RowArray

_ROWS_PER_BLOCK = 4096
_SPLITS_PER_BLOCK = 64

# Rows of a node that its direction is made from.
_SAMPLE_SIZE = 48
_ROUNDS = 2


@dataclass(frozen=True)
class Leaves:
    """A partition of rows.

    Attributes
    ----------
    order : int32 array of shape (rows,)
        The rows, those of a leaf together, near leaves mostly near each other.
    starts : int64 array of shape (leaves + 1,)
        Where each leaf begins in ``order``.
    """

    order: IntArray
    starts: RowArray


def grow_tree(
    units: FloatArray,
    leaf_size: int,
    seed: tuple[int, int],
    *,
    thread_count: int = 1,
    report: ReportFraction = lambda fraction: None,
) -> Leaves:
    """Return the leaves of one tree, of at most about ``leaf_size`` rows and at least half of it.

    The same for any number of threads. ``seed`` is a seed and the number of the tree.
    """
    count = len(units)
    depth = _depth(count, leaf_size)
    chance = np.random.default_rng(seed)
    order = np.arange(count, dtype=np.int32)
    projections = np.empty(count, np.float32)
    for level in range(depth):
        starts = _level_starts(count, level)
        sample = chance.integers(starts[:-1, None], starts[1:, None], (2**level, _SAMPLE_SIZE))
        part = part_of(report, level / depth, (level + 1) / depth)
        _split_level(units, order, starts, order[sample], projections, thread_count, part)
    return Leaves(order, _level_starts(count, depth))


def even_leaves(count: int, leaf_size: int) -> Leaves:
    """Return the leaves that a tree would have if the rows were already in its order."""
    order = np.arange(count, dtype=np.int32)
    return Leaves(order, _level_starts(count, _depth(count, leaf_size)))


def _depth(count: int, leaf_size: int) -> int:
    return max(0, int(np.ceil(np.log2(count / leaf_size))))


def _level_starts(count: int, level: int) -> RowArray:
    starts: RowArray = np.arange(2**level + 1) * count // 2**level
    return starts


def _split_level(
    units: FloatArray,
    order: IntArray,
    starts: RowArray,
    sample: IntArray,
    projections: FloatArray,
    thread_count: int,
    report: ReportFraction,
) -> None:
    """Order the rows of each node so that its first half is one child, its second the other."""
    directions = np.empty((len(sample), units.shape[1]), np.float32)
    middles = _level_starts(len(order), int(np.log2(len(sample))) + 1)[1::2]

    def choose(start: int, stop: int) -> None:
        directions[start:stop] = _choose_directions(units[sample[start:stop]])

    def project(start: int, stop: int) -> None:
        node = int(np.searchsorted(starts, start, side="right")) - 1
        _project(units, order, starts, directions, projections, node, start, stop)

    def split(start: int, stop: int) -> None:
        for node in range(start, stop):
            first, last = starts[node], starts[node + 1]
            halves = np.argpartition(projections[first:last], middles[node] - first)
            order[first:last] = order[first:last][halves]

    with one_blas_thread():
        for_each_block(
            choose,
            len(sample),
            _SPLITS_PER_BLOCK,
            thread_count=thread_count,
            report=part_of(report, 0.0, 0.3),
        )
    for_each_block(
        project,
        len(order),
        _ROWS_PER_BLOCK,
        thread_count=thread_count,
        report=part_of(report, 0.3, 0.7),
    )
    for_each_block(
        split,
        len(sample),
        _SPLITS_PER_BLOCK,
        thread_count=thread_count,
        report=part_of(report, 0.7, 1.0),
    )


def _choose_directions(samples: FloatArray) -> FloatArray:
    """Return for each node the difference of the means of two groups of its sample.

    The groups begin with one row each and are made anew a few times, each row going to the one
    whose side it is on.

    Parameters
    ----------
    samples : float32 array of shape (nodes, sample, dimensions)
    """
    low, high = samples[:, 0], samples[:, 1]
    for _ in range(_ROUNDS):
        directions = (high - low)[:, :, None]
        middles = ((high + low)[:, None, :] @ directions) / 2
        is_high = samples @ directions > middles
        counts = is_high.sum(axis=1)
        sums = (samples * is_high).sum(axis=1)
        is_split = (counts > 0) & (counts < samples.shape[1])
        rest = np.maximum(samples.shape[1] - counts, 1).astype(np.float32)
        low = np.where(is_split, (samples.sum(axis=1) - sums) / rest, low)
        high = np.where(is_split, sums / np.maximum(counts, 1).astype(np.float32), high)
    difference: FloatArray = high - low
    return difference


@kernel
def _project(
    units: FloatArray,
    order: IntArray,
    starts: RowArray,
    directions: FloatArray,
    projections: FloatArray,
    node: int,
    start: int,
    stop: int,
) -> None:
    """Write the projection of each row of the order on the direction of its node.

    ``node`` is the one of the first row.
    """
    for position in range(start, stop):
        while position >= starts[node + 1]:
            node += 1
        unit, direction = units[order[position]], directions[node]
        projection = np.float32(0)
        for place in range(len(direction)):
            projection += unit[place] * direction[place]
        projections[position] = projection
