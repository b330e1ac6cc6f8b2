"""Neighbour lists that a search improves step by step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster_svc.compiled import kernel
from cluster_svc.vectors import FloatArray, IntArray, RowArray

BoolArray = NDArray[np.bool_]

# Similarities that are compared with the smallest one kept together, before any one is looked at.
_GROUP = 32


@dataclass(frozen=True)
class NeighborLists:
    """The most similar rows of each row so far, most similar first.

    Attributes
    ----------
    similarities : float32 array of shape (rows, size)
        -inf where no row has been found yet.
    rows : int32 array of shape (rows, size)
        Different rows, -1 where none has been found yet.
    is_fresh : bool array of shape (rows, size)
        Whether the neighbour has come since its own neighbours were last looked at.
    """

    similarities: FloatArray
    rows: IntArray
    is_fresh: BoolArray

    @classmethod
    def empty(cls, count: int, size: int) -> NeighborLists:
        """Return lists without any neighbour."""
        return cls(
            np.full((count, size), -np.inf, np.float32),
            np.full((count, size), -1, np.int32),
            np.zeros((count, size), np.bool_),
        )


@kernel
def insert_row(
    similarities: FloatArray, rows: IntArray, is_fresh: BoolArray, row: int, similarity: np.float32
) -> int:
    """Insert a row into one list unless it is there or too far away; return how many went in."""
    last = len(rows) - 1
    if not similarity > similarities[last]:
        return 0
    for place in range(last + 1):
        if rows[place] == row:
            return 0
    place = last
    while place > 0 and similarities[place - 1] < similarity:
        similarities[place], rows[place] = similarities[place - 1], rows[place - 1]
        is_fresh[place] = is_fresh[place - 1]
        place -= 1
    similarities[place], rows[place], is_fresh[place] = similarity, row, True
    return 1


@kernel
def insert_leaf(
    block: FloatArray,
    leaf: IntArray,
    similarities: FloatArray,
    rows: IntArray,
    is_fresh: BoolArray,
) -> None:
    """Insert the rows of a leaf into each other's lists; ``block`` holds their similarities."""
    size, last = len(leaf), rows.shape[1] - 1
    for line in range(size):
        row = leaf[line]
        floor = similarities[row, last]
        for start in range(0, size, _GROUP):
            stop = min(start + _GROUP, size)
            larger = 0
            for column in range(start, stop):
                larger |= block[line, column] > floor
            if not larger:
                continue
            for column in range(start, stop):
                if block[line, column] > floor and column != line:
                    insert_row(
                        similarities[row],
                        rows[row],
                        is_fresh[row],
                        leaf[column],
                        block[line, column],
                    )
                    floor = similarities[row, last]


@kernel
def take_pairs(
    pairs: IntArray,
    found: FloatArray,
    written: RowArray,
    similarities: FloatArray,
    rows: IntArray,
    is_fresh: BoolArray,
    start: int,
    stop: int,
) -> int:
    """Insert the pairs into the lists of rows ``start`` to ``stop``; return how many went in.

    Parameters
    ----------
    pairs : int32 array of shape (blocks, capacity, 2)
    found : float32 array of shape (blocks, capacity)
    written : int64 array of shape (blocks,)
        How many pairs each block has.
    """
    inserted = 0
    for block in range(len(written)):
        for entry in range(written[block]):
            left, right = pairs[block, entry, 0], pairs[block, entry, 1]
            value = found[block, entry]
            if start <= left < stop:
                inserted += insert_row(similarities[left], rows[left], is_fresh[left], right, value)
            if start <= right < stop:
                inserted += insert_row(
                    similarities[right], rows[right], is_fresh[right], left, value
                )
    return inserted
