"""The exact search: similarities from matrix products, the largest kept while they are in cache.

`search_block` is the seam for other engines: it answers for any range of query rows, and neither
the range nor the order of ranges changes what a row gets, because `rank_candidates` makes the
result independent of how candidates were found. An engine that finds candidates by its own means
(on a GPU, say) hands them to `rank_candidates` and has the same result too, down to the last bit.
"""

from __future__ import annotations

import threading

import numpy as np

from cluster_svc.compiled import ReportFraction, for_each_block, kernel
from cluster_svc.neighbors.blas import one_blas_thread
from cluster_svc.neighbors.ranking import candidate_count, rank_candidates
from cluster_svc.vectors import FloatArray, IntArray

# Query rows of one call of `search_block` that are a good unit of work for another machine.
QUERY_BLOCK_ROWS = 2048

# A block of similarities of this many rows and columns is still in the processor's cache when it
# is looked through, and large enough for the matrix product to run at full speed.
_BLOCK_ROWS = 512

# Similarities that are compared with the floors together, before any one is looked at.
_GROUP = 32

# Of the time of the symmetric search, by measurement; the rest is ranking.
_PRODUCT_SHARE = 0.9


def exact_neighbors(
    units: FloatArray,
    k: int,
    *,
    thread_count: int = 1,
    report: ReportFraction = lambda fraction: None,
) -> tuple[IntArray, FloatArray]:
    """Return the k nearest other rows of each unit vector and their cosine distances.

    Every pair of blocks is multiplied once and serves the rows of both. Memory is linear in the
    rows, the result the same for any number of threads.

    Returns
    -------
    indices : int32 array of shape (rows, k)
        Nearest first, equal distances by index.
    distances : float32 array of shape (rows, k)
    """
    count = len(units)
    heaps = LargestSimilarities(count, min(candidate_count(k), count - 1))
    indices = np.empty((count, k), np.int32)
    distances = np.empty((count, k), np.float32)
    if k == 0:
        return indices, distances
    _search_all_pairs(units, heaps, thread_count, lambda done: report(_PRODUCT_SHARE * done))

    def rank(start: int, stop: int) -> None:
        found = rank_candidates(units, start, heaps.rows[start:stop], heaps.bounds(start, stop), k)
        indices[start:stop], distances[start:stop] = found

    for_each_block(
        rank,
        count,
        _BLOCK_ROWS,
        thread_count=thread_count,
        report=lambda done: report(_PRODUCT_SHARE + (1 - _PRODUCT_SHARE) * done),
    )
    return indices, distances


def search_block(units: FloatArray, start: int, stop: int, k: int) -> tuple[IntArray, FloatArray]:
    """Return what `exact_neighbors` gives for the rows ``start`` to ``stop``, on one thread.

    Parameters
    ----------
    units : float32 array of shape (rows, dimensions), C-contiguous
    start, stop : int
        The query rows.
    k : int
        At most ``rows - 1``.

    Returns
    -------
    indices : int32 array of shape (stop - start, k)
    distances : float32 array of shape (stop - start, k)
    """
    count = len(units)
    heaps = LargestSimilarities(stop - start, min(candidate_count(k), count - 1))
    if k == 0:
        return heaps.rows[:, :0], heaps.similarities[:, :0]
    with one_blas_thread():
        for first in range(start, stop, _BLOCK_ROWS):
            for other in range(0, count, _BLOCK_ROWS):
                rows = slice(first, min(first + _BLOCK_ROWS, stop))
                _scan_pair(units, rows, slice(other, other + _BLOCK_ROWS), heaps, start, False)
    return rank_candidates(units, start, heaps.rows, heaps.bounds(0, stop - start), k)


class LargestSimilarities:
    """The largest similarities of each row so far, the smallest of them first."""

    def __init__(self, row_count: int, size: int) -> None:
        self.similarities = np.full((row_count, size), -np.inf, np.float32)
        self.rows = np.full((row_count, size), -1, np.int32)

    def bounds(self, start: int, stop: int) -> FloatArray:
        """Return for each row a similarity that no row left out exceeds."""
        return self.similarities[start:stop, 0]


def _search_all_pairs(
    units: FloatArray, heaps: LargestSimilarities, thread_count: int, report: ReportFraction
) -> None:
    """Fill the heaps of all rows; every pair of blocks is multiplied once."""
    rounds = _disjoint_pairs(-(-len(units) // _BLOCK_ROWS))
    pair_count = sum(map(len, rounds))
    done = 0
    with one_blas_thread():
        for pairs in rounds:

            def search(start: int, stop: int, pairs: list[tuple[int, int]] = pairs) -> None:
                for first, second in pairs[start:stop]:
                    rows, columns = _block(first), _block(second)
                    _scan_pair(units, rows, columns, heaps, 0, first != second)

            def report_part(part: float, done: int = done, count: int = len(pairs)) -> None:
                report((done + part * count) / pair_count)

            for_each_block(search, len(pairs), 1, thread_count=thread_count, report=report_part)
            done += len(pairs)


def _disjoint_pairs(count: int) -> list[list[tuple[int, int]]]:
    """Return all pairs of blocks in rounds, no block in two pairs of a round.

    So the pairs of a round can be searched at once, each writing to the rows of both its blocks.
    The first round pairs every block with itself, the others are a round-robin tournament (the
    circle method).
    """
    players = count + count % 2
    rounds = [[(block, block) for block in range(count)]]
    for turn in range(players - 1):
        circle = [(turn + step) % (players - 1) for step in range(players - 1)]
        pairs = [(circle[0], players - 1)]
        pairs += [(circle[step], circle[-step]) for step in range(1, players // 2)]
        rounds.append([pair for pair in pairs if max(pair) < count])
    return [pairs for pairs in rounds if pairs]


def _block(number: int) -> slice:
    return slice(number * _BLOCK_ROWS, (number + 1) * _BLOCK_ROWS)


_local = threading.local()


def _scan_pair(
    units: FloatArray,
    rows: slice,
    columns: slice,
    heaps: LargestSimilarities,
    offset: int,
    both: bool,
) -> None:
    """Multiply two blocks and keep what is large; ``offset`` is the row of the first heap."""
    left, right = units[rows], units[columns]
    if not hasattr(_local, "buffer"):
        _local.buffer = np.empty(_BLOCK_ROWS**2, np.float32)
    block = _local.buffer[: len(left) * len(right)].reshape(len(left), len(right))
    np.matmul(left, right.T, out=block)
    scan_block(block, rows.start, columns.start, offset, both, heaps.similarities, heaps.rows)


@kernel
def scan_block(
    block: FloatArray,
    first_row: int,
    first_column: int,
    offset: int,
    both: bool,
    similarities: FloatArray,
    rows: IntArray,
) -> None:
    """Keep the largest similarities of each row, and of each column where ``both``."""
    width = block.shape[1]
    floors = np.empty(width, np.float32)
    for column in range(width):
        floors[column] = similarities[first_column + column - offset, 0] if both else np.inf
    for line in range(len(block)):
        row = first_row + line
        heap = row - offset
        floor = similarities[heap, 0]
        for start in range(0, width, _GROUP):
            stop = min(start + _GROUP, width)
            larger = 0
            for column in range(start, stop):
                value = block[line, column]
                larger |= (value > floor) | (value > floors[column])
            if not larger:
                continue
            for column in range(start, stop):
                value, other = block[line, column], first_column + column
                across = other - offset
                if value > floor and other != row:
                    _replace_smallest(similarities[heap], rows[heap], value, other)
                    floor = similarities[heap, 0]
                if value > floors[column]:
                    _replace_smallest(similarities[across], rows[across], value, row)
                    floors[column] = similarities[across, 0]


@kernel
def _replace_smallest(
    similarities: FloatArray, rows: IntArray, similarity: np.float32, row: int
) -> None:
    """Put an entry into a full heap, smallest first, in the place of the smallest."""
    size, place = len(similarities), 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and similarities[child + 1] < similarities[child]:
            child += 1
        if similarities[child] >= similarity:
            break
        similarities[place], rows[place] = similarities[child], rows[child]
        place = child
    similarities[place], rows[place] = similarity, row
