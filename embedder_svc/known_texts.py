"""What a call has learnt about its texts, so that none is looked up or embedded twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class KnownTexts:
    """A slot for each different text, in arrays of a fixed length.

    Parameters
    ----------
    capacity
        How many texts there is room for; memory is taken as they come.
    dimension_count
        The length of a vector.

    Attributes
    ----------
    vectors : ndarray of shape (capacity, dimension_count), float32
        Not set before whoever added a text has written its row.
    truncated, chunked, cached : ndarray of shape (capacity,), bool
        Whether the text was cut, was embedded in pieces, and was in the cache.
    """

    def __init__(self, capacity: int, dimension_count: int) -> None:
        self.vectors = np.empty((capacity, dimension_count), dtype=np.float32)
        self.truncated = np.zeros(capacity, dtype=bool)
        self.chunked = np.zeros(capacity, dtype=bool)
        self.cached = np.zeros(capacity, dtype=bool)
        self._slots: dict[bytes, int] = {}

    def has_room(self, count: int) -> bool:
        """Return True where so many more texts can be added."""
        return len(self._slots) + count <= len(self.vectors)

    def add(self, keys: Sequence[bytes]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the slot of each key, and the rows whose key had none and got the next one.

        Both int64; the first of shape (len(keys),).
        """
        slots = self._slots
        new_rows = []
        for row, key in enumerate(keys):
            if key not in slots:
                slots[key] = len(slots)
                new_rows.append(row)
        of_keys = np.fromiter(map(slots.__getitem__, keys), dtype=np.int64, count=len(keys))
        return of_keys, np.array(new_rows, dtype=np.int64)
