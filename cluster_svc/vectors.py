"""Vectors before anything is made of them: checked, scaled to length 1, equal ones merged."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cluster_svc.compiled import ReportFraction, for_each_block, kernel
from cluster_svc.errors import TooFewRows
from level_rpc.errors import FieldInvalid

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]
RowArray = NDArray[np.int64]

# One block of similarities: large enough for BLAS, small beside the vectors.
_BLOCK_BYTES = 48 * 2**20
_ROWS_PER_BLOCK = 8192

# splitmix64 (Steele, Lea, Flood 2014) mixes every word of a vector into one of four lanes.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_HALF = np.uint64(32)
_NEGATIVE_ZERO = np.uint32(0x80000000)


def check_vectors(vectors: FloatArray) -> None:
    """Raise TooFewRows without any row, FieldInvalid where a vector holds NaN or an infinity."""
    if len(vectors) == 0:
        raise TooFewRows("there are no rows to cluster", row_count=0, minimum_row_count=1)
    for block in row_blocks(*vectors.shape):
        if not np.isfinite(vectors[block]).all():
            raise FieldInvalid("a vector holds NaN or an infinity", field="vectors")


def normalize_rows(
    vectors: FloatArray,
    rows: RowArray | None = None,
    *,
    thread_count: int = 1,
    report: ReportFraction = lambda fraction: None,
) -> FloatArray:
    """Return the vectors, or those of the rows named, scaled to length 1; zero vectors stay zero.

    Lengths are taken in float64 after scaling by the largest element, so that neither tiny nor
    huge values are lost. Takes no memory beside the result.

    Returns
    -------
    float32 array of shape (rows, dimensions), C-contiguous
    """
    chosen = np.arange(len(vectors)) if rows is None else np.asarray(rows, np.int64)
    source = np.ascontiguousarray(vectors, np.float32)
    units = np.empty((len(chosen), source.shape[1]), np.float32)

    def scale(start: int, stop: int) -> None:
        units[start:stop] = source[chosen[start:stop]]
        _scale_rows(units, start, stop)

    for_each_block(scale, len(chosen), _ROWS_PER_BLOCK, thread_count=thread_count, report=report)
    return units


@kernel
def _scale_rows(units: FloatArray, start: int, stop: int) -> None:
    """Scale rows to length 1 in place."""
    for row in range(start, stop):
        largest = np.float32(0)
        for place in range(units.shape[1]):
            largest = max(largest, abs(units[row, place]))
        if largest == 0:
            continue
        squares = 0.0
        for place in range(units.shape[1]):
            share = np.float64(units[row, place]) / largest
            squares += share * share
        length = np.sqrt(squares)
        for place in range(units.shape[1]):
            units[row, place] = np.float32(np.float64(units[row, place]) / largest / length)


def merge_identical_rows(
    vectors: FloatArray, *, thread_count: int = 1
) -> tuple[IntArray, RowArray]:
    """Return the node of each row and the first row of each node; equal vectors share a node.

    Nodes are numbered by a digest of their vectors, so the vector of a node does not depend on the
    order of the rows. Zeros of either sign are equal.

    Returns
    -------
    node_of_row : int32 array of shape (rows,)
    first_rows : int64 array of shape (nodes,)
    """
    words = np.ascontiguousarray(vectors, np.float32).view(np.uint32)
    digests = digest_rows(words, thread_count=thread_count)
    order = np.argsort(digests, kind="stable")
    digests = digests[order]
    is_first = _mark_first(words, order, digests)
    collisions = np.flatnonzero(is_first[1:] & (digests[1:] == digests[:-1]))
    for digest in np.unique(digests[collisions]):
        place = slice(*np.searchsorted(digests, [digest, digest + np.uint64(1)]))
        order[place] = _sort_by_content(words, order[place])
    if len(collisions):
        is_first = _mark_first(words, order, digests)
    node_of_row = np.empty(len(order), np.int32)
    node_of_row[order] = np.cumsum(is_first) - 1
    return node_of_row, order[is_first]


def _sort_by_content(words: NDArray[np.uint32], rows: RowArray) -> list[int]:
    """Return rows of one digest by their content, equal ones by their number."""
    positive = {row: np.where(words[row] == _NEGATIVE_ZERO, 0, words[row]) for row in rows.tolist()}
    return sorted(positive, key=lambda row: (positive[row].tobytes(), row))


def digest_rows(words: NDArray[np.uint32], *, thread_count: int = 1) -> NDArray[np.uint64]:
    """Return a 64-bit digest of each row of 32-bit words, zeros of either sign taken as equal."""
    digests = np.empty(len(words), np.uint64)

    def digest(start: int, stop: int) -> None:
        _digest_rows(words, digests, start, stop)

    for_each_block(digest, len(words), _ROWS_PER_BLOCK, thread_count=thread_count)
    return digests


@kernel
def _digest_rows(
    words: NDArray[np.uint32], digests: NDArray[np.uint64], start: int, stop: int
) -> None:
    """Write digests of rows; four lanes, so that the processor mixes four words at once."""
    lanes = np.empty(4, np.uint64)
    for row in range(start, stop):
        for lane in range(4):
            lanes[lane] = _STEP * np.uint64(lane + 1)
        for place in range(words.shape[1]):
            word = words[row, place]
            if word == _NEGATIVE_ZERO:
                word = np.uint32(0)
            mixed = (lanes[place & 3] ^ np.uint64(word)) * _MIX
            lanes[place & 3] = mixed ^ (mixed >> _HALF)
        digest = np.uint64(0)
        for lane in range(4):
            mixed = ((digest ^ lanes[lane]) + _STEP) * _MIX
            digest = mixed ^ (mixed >> _HALF)
        digests[row] = digest


@kernel
def _mark_first(
    words: NDArray[np.uint32], order: RowArray, digests: NDArray[np.uint64]
) -> NDArray[np.bool_]:
    """Return where in the order a vector differs from the one before it."""
    is_first = np.empty(len(order), np.bool_)
    for place in range(len(order)):
        is_first[place] = True
        if place == 0 or digests[place] != digests[place - 1]:
            continue
        row, last = order[place], order[place - 1]
        is_first[place] = False
        for column in range(words.shape[1]):
            # Both words of a pair of zeros with different signs together are the negative zero.
            if words[row, column] != words[last, column] and (
                np.uint32(words[row, column] | words[last, column]) != _NEGATIVE_ZERO
            ):
                is_first[place] = True
                break
    return is_first


def row_blocks(row_count: int, column_count: int) -> Iterator[slice]:
    """Yield slices of rows such that a float32 block of ``column_count`` columns stays small."""
    height = max(1, _BLOCK_BYTES // (4 * max(column_count, 1)))
    for start in range(0, row_count, height):
        yield slice(start, min(start + height, row_count))
