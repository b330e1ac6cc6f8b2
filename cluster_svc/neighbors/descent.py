"""The approximate search: trees for a start, then NN-descent.

Source: W. Dong, C. Moses, K. Li, "Efficient k-nearest neighbor graph construction for generic
similarity measures", WWW 2011: a neighbour of a neighbour is likely a neighbour. The trees' leaves
are solved by matrix products, the joins by compiled tiles.
"""

from __future__ import annotations

import numpy as np

from cluster_svc.compiled import ReportFraction, for_each_block
from cluster_svc.neighbors.blas import one_blas_thread
from cluster_svc.neighbors.forest import Leaves, even_leaves, grow_tree
from cluster_svc.neighbors.joins import join_candidates, mark_old, sample_candidates
from cluster_svc.neighbors.lists import NeighborLists, insert_leaf, take_pairs
from cluster_svc.neighbors.ranking import rank_candidates
from cluster_svc.progress import part_of
from cluster_svc.vectors import FloatArray, IntArray

# The settings by measurement on real sentence vectors (70,000 of 384 dimensions): another tree, or
# a longer list, costs more time than it saves; less of either, recall.
_TREE_COUNT = 6
_LEAF_SIZE = 400
_SPARE_COUNT = 6
_FORWARD_COUNT = 40
_REVERSE_COUNT = 20

# It ends when fewer than this share of all entries changed in a round.
_LEAST_CHANGE = 0.002
_MOST_ROUNDS = 10

# What is worked on between two looks at the clock; results depend on the first three.
_ROWS_PER_JOIN = 256
_JOINS_PER_BATCH = 32
_PAIRS_PER_ROW = 512
_LEAVES_PER_BLOCK = 8
_RANGE_COUNT = 8
_RANKED_ROWS = 4096

# Of the time, by measurement: the start, and each round of what then is left; the end is ranking.
_START_SHARE = 0.4
_ROUND_SHARE = 0.45
_ROUNDS_END = 0.93


def approximate_neighbors(
    units: FloatArray,
    k: int,
    *,
    seed: int = 0,
    thread_count: int = 1,
    report: ReportFraction = lambda fraction: None,
) -> tuple[IntArray, FloatArray]:
    """Return about the k nearest other rows of each unit vector and their cosine distances.

    Best where near rows already are near each other in the array, as the leaves of a tree order
    them. The same for any number of threads.

    Returns
    -------
    indices : int32 array of shape (rows, k)
        Nearest first, equal distances by index.
    distances : float32 array of shape (rows, k)
    """
    count = len(units)
    lists = NeighborLists.empty(count, min(k + _SPARE_COUNT, count - 1))
    _start(units, lists, seed, thread_count, part_of(report, 0.0, _START_SHARE))
    candidates = _Candidates(lists)
    done = _START_SHARE
    for _ in range(_MOST_ROUNDS):
        end = done + _ROUND_SHARE * (_ROUNDS_END - done)
        inserted = _run_round(units, lists, candidates, thread_count, part_of(report, done, end))
        done = end
        if inserted < _LEAST_CHANGE * lists.rows.size:
            break
    return _rank(units, lists, k, thread_count, part_of(report, done, 1.0))


class _Candidates:
    """Room for the candidates of every row, and for the pairs that a batch of joins finds."""

    def __init__(self, lists: NeighborLists) -> None:
        count, size = lists.rows.shape
        self.forward_count = min(size, _FORWARD_COUNT)
        width = self.forward_count + _REVERSE_COUNT
        self.rows = np.empty((count, 2, width), np.int32)
        self.counts = np.zeros((count, 2), np.int32)
        capacity = _ROWS_PER_JOIN * _PAIRS_PER_ROW
        self.pairs = np.empty((_JOINS_PER_BATCH, capacity, 2), np.int32)
        self.found = np.empty((_JOINS_PER_BATCH, capacity), np.float32)
        self.written = np.zeros(_JOINS_PER_BATCH, np.int64)


def _start(
    units: FloatArray,
    lists: NeighborLists,
    seed: int,
    thread_count: int,
    report: ReportFraction,
) -> None:
    """Compare the rows of each leaf of every tree; the order of the rows itself is the first."""
    leaf_size = max(_LEAF_SIZE, 2 * (lists.rows.shape[1] + 2))
    solved = even_leaves(len(units), leaf_size)
    _solve_leaves(units, solved, lists, thread_count, part_of(report, 0.0, 1 / _TREE_COUNT))
    for tree in range(1, _TREE_COUNT):
        begin, middle = tree / _TREE_COUNT, (tree + 0.5) / _TREE_COUNT
        leaves = grow_tree(
            units,
            leaf_size,
            (seed, tree),
            thread_count=thread_count,
            report=part_of(report, begin, middle),
        )
        rest = part_of(report, middle, (tree + 1) / _TREE_COUNT)
        _solve_leaves(units, leaves, lists, thread_count, rest)


def _solve_leaves(
    units: FloatArray,
    leaves: Leaves,
    lists: NeighborLists,
    thread_count: int,
    report: ReportFraction,
) -> None:
    """Bring the rows of each leaf into each other's lists."""

    def solve(start: int, stop: int) -> None:
        for number in range(start, stop):
            leaf = leaves.order[leaves.starts[number] : leaves.starts[number + 1]]
            members = units[leaf]
            block = members @ members.T
            insert_leaf(block, leaf, lists.similarities, lists.rows, lists.is_fresh)

    with one_blas_thread():
        for_each_block(
            solve,
            len(leaves.starts) - 1,
            _LEAVES_PER_BLOCK,
            thread_count=thread_count,
            report=report,
        )


def _run_round(
    units: FloatArray,
    lists: NeighborLists,
    candidates: _Candidates,
    thread_count: int,
    report: ReportFraction,
) -> int:
    """Compare the candidates of every row; return how many entries of the lists changed."""
    count = len(units)
    _sample(lists, candidates, thread_count, part_of(report, 0.0, 0.1))
    batch = _ROWS_PER_JOIN * _JOINS_PER_BATCH
    inserted = 0
    for first in range(0, count, batch):
        last = min(first + batch, count)
        inserted += _run_batch(units, lists, candidates, first, last, thread_count)
        report(0.1 + 0.9 * last / count)
    return inserted


def _sample(
    lists: NeighborLists, candidates: _Candidates, thread_count: int, report: ReportFraction
) -> None:
    """Choose the candidates of every row; their neighbours are not fresh any more."""
    count = len(lists.rows)

    def sample(start: int, stop: int) -> None:
        sample_candidates(
            lists.rows,
            lists.is_fresh,
            _REVERSE_COUNT,
            candidates.rows,
            candidates.counts,
            start,
            stop,
        )

    def mark(start: int, stop: int) -> None:
        mark_old(lists.is_fresh, candidates.forward_count, start, stop)

    height = -(-count // _RANGE_COUNT)
    for_each_block(sample, count, height, thread_count=thread_count, report=report)
    for_each_block(mark, count, height, thread_count=thread_count)


def _run_batch(
    units: FloatArray,
    lists: NeighborLists,
    candidates: _Candidates,
    first: int,
    last: int,
    thread_count: int,
) -> int:
    """Join the candidates of the rows ``first`` to ``last``; return how many entries changed."""
    candidates.written[:] = 0

    def join(start: int, stop: int) -> None:
        place = start // _ROWS_PER_JOIN
        candidates.written[place] = join_candidates(
            units,
            lists.similarities,
            candidates.rows,
            candidates.counts,
            first + start,
            first + stop,
            candidates.pairs[place],
            candidates.found[place],
        )

    count = len(units)
    inserted = np.zeros(_RANGE_COUNT, np.int64)
    height = -(-count // _RANGE_COUNT)

    def take(start: int, stop: int) -> None:
        inserted[start // height] = take_pairs(
            candidates.pairs,
            candidates.found,
            candidates.written,
            lists.similarities,
            lists.rows,
            lists.is_fresh,
            start,
            stop,
        )

    for_each_block(join, last - first, _ROWS_PER_JOIN, thread_count=thread_count)
    for_each_block(take, count, height, thread_count=thread_count)
    return int(inserted.sum())


def _rank(
    units: FloatArray, lists: NeighborLists, k: int, thread_count: int, report: ReportFraction
) -> tuple[IntArray, FloatArray]:
    """Return the k nearest of each list by their exact distances."""
    indices = np.empty((len(units), k), np.int32)
    distances = np.empty((len(units), k), np.float32)

    def rank(start: int, stop: int) -> None:
        complete = np.full(stop - start, -np.inf, np.float32)
        found = rank_candidates(units, start, lists.rows[start:stop], complete, k)
        indices[start:stop], distances[start:stop] = found

    for_each_block(rank, len(units), _RANKED_ROWS, thread_count=thread_count, report=report)
    return indices, distances
