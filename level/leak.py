"""Rows of one table that another has too: equal texts, or vectors within a distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from levelling.duplicates.nearest_rows import nearest_rows
from levelling.duplicates.text_keys import text_keys


@dataclass(frozen=True)
class LeakedRow:
    """A row that is there twice.

    Attributes
    ----------
    test_row : int
        In the held-out table, from 0.
    row : int
        The row of the other table that is most like it.
    distance : float
        Cosine distance between the two, 0 to 2.
    is_same_text : bool
        Whether their normalised texts are equal.
    """

    test_row: int
    row: int
    distance: float
    is_same_text: bool

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def find_leaks(
    texts: Sequence[str],
    vectors: NDArray[np.float32],
    test_texts: Sequence[str],
    test_vectors: NDArray[np.float32],
    max_distance: float,
) -> list[LeakedRow]:
    """Return the rows of the held-out table that the other has too, in order.

    Every pair is compared, in blocks: there is no approximation.

    Parameters
    ----------
    texts, test_texts : sequence of str
    vectors, test_vectors : ndarray of shape (n_rows, n_dimensions), float32
        Of unit length.
    max_distance : float
        The cosine distance up to which rows are the same, 0 to 2. Rows of equal normalised texts
        are the same at any distance.
    """
    nearest, distances = nearest_rows(vectors, test_vectors)
    same = _rows_of_same_text(text_keys(texts), text_keys(test_texts))
    leaks = []
    for test_row in np.flatnonzero((distances <= max_distance) | (same >= 0)).tolist():
        row, distance = int(nearest[test_row]), float(distances[test_row])
        if same[test_row] >= 0:
            row = int(same[test_row])
            cosine = float(vectors[row] @ test_vectors[test_row])
            distance = min(max(1.0 - cosine, 0.0), 2.0)
        leaks.append(LeakedRow(test_row, row, round(distance, 6), bool(same[test_row] >= 0)))
    return leaks


def _rows_of_same_text(keys: NDArray[np.int64], asked: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first row with the same key, -1 where there is none."""
    known, firsts = np.unique(keys, return_index=True)
    places = np.searchsorted(known, asked).clip(max=known.size - 1)
    return np.where(known[places] == asked, firsts[places], -1)
