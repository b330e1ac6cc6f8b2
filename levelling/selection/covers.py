"""How much of all rows the picked ones cover, and what each further row would add.

A row is covered as well as the picked row that is most similar to it: the objective of facility
location. Similarities are whole numbers, so sums of them are exact, in whatever order they are
added up, and equal rows have equal gains.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from levelling.selection.unit_rows import blocks_of

UNIT = 2**20
"""The similarity of equal rows."""

NEIGHBOR_COUNT = 15
_CHUNK_ROWS = 512


class Cover(Protocol):
    """What is covered by the rows that were taken so far."""

    gains: NDArray[np.int64]
    """What each row would add, were it taken next."""

    def take(self, row: int) -> None:
        """Take a row, and bring all gains up to date."""


class DenseCover:
    """Similarities of every row to every other.

    Parameters
    ----------
    similarities : ndarray of shape (n_rows, n_rows), int32
        Symmetric, 0 to `UNIT`.
    """

    def __init__(self, similarities: NDArray[np.int32]) -> None:
        self._similarities = similarities
        self._best = np.zeros(len(similarities), np.int32)
        self.gains: NDArray[np.int64] = similarities.sum(axis=0, dtype=np.int64)

    def take(self, row: int) -> None:
        """Take a row, and bring all gains up to date."""
        nearer = np.flatnonzero(self._similarities[row] > self._best)
        for part in blocks_of(nearer.size, _CHUNK_ROWS):
            rows = nearer[part]
            before = self._best[rows][:, None]
            now = self._similarities[row, rows][:, None]
            lost = np.clip(self._similarities[rows], before, now).sum(axis=0, dtype=np.int64)
            self.gains -= lost - before.sum(dtype=np.int64)
        self._best[nearer] = self._similarities[row, nearer]


class SparseCover:
    """Similarities of each row to its neighbours; all others count as 0.

    Parameters
    ----------
    similarities : sparse array of shape (n_rows, n_rows), int32
        Symmetric, above 0 to `UNIT`.
    """

    def __init__(self, similarities: csr_array) -> None:
        bounds = similarities.indptr.astype(np.intp)
        self._starts, self._ends = bounds[:-1], bounds[1:]
        # As wide as the gains and as indices: NumPy adds up in place fast only without a cast.
        self._rows = similarities.indices.astype(np.intp)
        self._values = similarities.data.astype(np.int64)
        self._best = np.zeros(similarities.shape[0], np.int64)
        self.gains: NDArray[np.int64] = similarities.sum(axis=0, dtype=np.int64)

    def take(self, row: int) -> None:
        """Take a row, and bring all gains up to date."""
        entries = slice(self._starts[row], self._ends[row])
        rows, now = self._rows[entries], self._values[entries]
        nearer = now > self._best[rows]
        rows, now = rows[nearer], now[nearer]
        starts = self._starts[rows]
        lengths = self._ends[rows] - starts
        # The entries of all of them, in one array.
        around = (starts - lengths.cumsum() + lengths).repeat(lengths)
        around += np.arange(around.size)
        before = self._best[rows].repeat(lengths)
        lost = np.minimum(np.maximum(self._values[around], before), now.repeat(lengths)) - before
        np.subtract.at(self.gains, self._rows[around], lost)
        self._best[rows] = now


def to_units(cosines: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return similarities in whole units; what is below 0 is 0."""
    units: NDArray[np.int32] = np.rint(np.clip(cosines, 0, 1) * np.float32(UNIT)).astype(np.int32)
    return units


def nearest_cosines(cosines: NDArray[np.float32], count: int = NEIGHBOR_COUNT) -> csr_array:
    """Return the similarities of each row to its nearest ones, itself among them.

    Parameters
    ----------
    cosines : ndarray of shape (n_rows, n_rows), float32
        Symmetric.
    count : int
        How many others each row names.

    Returns
    -------
    sparse array of shape (n_rows, n_rows), int32
        Symmetric: a pair is in it if either names the other.
    """
    row_count = len(cosines)
    count = min(count + 1, row_count)
    nearest = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
    similar = to_units(np.take_along_axis(cosines, nearest, axis=1))
    starts = np.arange(0, row_count * count + 1, count)
    named = csr_array((similar.ravel(), nearest.ravel(), starts), shape=(row_count, row_count))
    symmetric: csr_array = named.maximum(named.T).tocsr()
    symmetric.eliminate_zeros()
    return symmetric
