"""Rows parted into blocks of similar ones, small enough to compare each row with each other."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

from levelling.selection.choice import Rows
from levelling.selection.unit_rows import blocks_of, scaled, sum_by

BLOCK_ROWS = 600
"""About as many rows as a block has; never more than twice as many."""

_PARTS = 64
_ROWS_PER_PART = 256
_ROUNDS = 10


def split_rows(projected: NDArray[np.float32], block_rows: int = BLOCK_ROWS) -> list[Rows]:
    """Return blocks of rows whose directions are similar.

    Spherical k-means, and again inside each part that is too large. Nothing is random: it starts
    from rows at even steps.

    Parameters
    ----------
    projected : ndarray of shape (n_rows, n_axes), float32
        Of length 1.
    block_rows : int
        About as many rows as a block is to have; it has at most twice as many.

    Returns
    -------
    list of ndarray of int64
        The rows of each block, rising; blocks in the order of their first rows.

    References
    ----------
    Dhillon, I. and Modha, D. (2001). Concept decompositions for large sparse text data using
    clustering. Machine Learning 42, 143-175.
    """
    done: list[Rows] = []
    todo = [np.arange(len(projected))]
    while todo:
        rows = todo.pop()
        if rows.size <= 2 * block_rows:
            done.append(rows)
        else:
            todo += _split(projected, rows, block_rows)
    return sorted(done, key=lambda rows: int(rows[0]))


def _split(projected: NDArray[np.float32], rows: Rows, block_rows: int) -> list[Rows]:
    count = min(_PARTS, ceil(rows.size / block_rows))
    centres = _find_centres(projected, rows, count)
    parts = np.concatenate(
        [_nearest(projected[rows[part]], centres) for part in blocks_of(rows.size)]
    )
    found = [rows[parts == part] for part in np.unique(parts).tolist()]
    # Equal rows, which nothing tells apart, are cut up as they come.
    return found if len(found) > 1 else np.array_split(rows, count)


def _find_centres(projected: NDArray[np.float32], rows: Rows, count: int) -> NDArray[np.float32]:
    sample = projected[_at_even_steps(rows, count * _ROWS_PER_PART)]
    centres = sample[_at_even_steps(np.arange(len(sample)), count)]
    for _ in range(_ROUNDS):
        parts = _nearest(sample, centres)
        sums = sum_by(parts, sample, count)
        kept = np.bincount(parts, minlength=count) > 0
        centres = np.where(kept[:, None], scaled(sums.astype(np.float32)), centres)
    return centres


def _at_even_steps(rows: Rows, count: int) -> Rows:
    """Return so many of the rows, or all when there are fewer."""
    return rows if rows.size <= count else rows[np.arange(count) * rows.size // count]


def _nearest(vectors: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.int64]:
    nearest: NDArray[np.int64] = (vectors @ centres.T).argmax(axis=1)
    return nearest
