"""The nearest of some rows to each of others: every pair is compared, none is approximated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BLOCK_ROWS, _OTHER_BLOCK_ROWS = 1_024, 16_384


def nearest_rows(
    vectors: NDArray[np.float32], asked: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return for each row of `asked` the nearest row of `vectors`, the first of equally near ones.

    Parameters
    ----------
    vectors, asked : ndarray of shape (n_rows, n_dimensions) and (n_asked, n_dimensions), float32
        Of unit length.

    Returns
    -------
    rows : ndarray of shape (n_asked,), int64
    distances : ndarray of shape (n_asked,), float32
        Cosine distances, 0 to 2.
    """
    rows = np.zeros(len(asked), np.int64)
    cosines = np.full(len(asked), -np.inf, np.float32)
    for start in range(0, len(asked), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        places = np.arange(len(asked[block]))
        for first in range(0, len(vectors), _OTHER_BLOCK_ROWS):
            found = asked[block] @ vectors[first : first + _OTHER_BLOCK_ROWS].T
            best = found.argmax(axis=1)
            is_nearer = found[places, best] > cosines[block]
            rows[block] = np.where(is_nearer, first + best, rows[block])
            cosines[block] = np.where(is_nearer, found[places, best], cosines[block])
    return rows, np.clip(1.0 - cosines, 0.0, 2.0)
