"""Which rows have the same text, so that each text is embedded once."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from gateway.tables import read_texts

_BLOCK_ROWS = 65_536


@dataclass(frozen=True)
class UniqueTexts:
    """The distinct texts of a column, in the order of their first rows.

    Attributes
    ----------
    first_rows : ndarray of shape (unique_count,), int64
        The first row of each distinct text, rising.
    unique_of_row : ndarray of shape (row_count,), int64
        Which distinct text each row has.
    """

    first_rows: NDArray[np.int64]
    unique_of_row: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Path, column: int, row_count: int) -> Self:
        """Return the distinct texts of a column of a rows file."""
        seen: dict[bytes, int] = {}
        first_rows: list[int] = []
        unique_of_row = np.empty(row_count, np.int64)
        for start in range(0, row_count, _BLOCK_ROWS):
            texts = read_texts(rows, column, start, start + _BLOCK_ROWS)
            for row, text in enumerate(texts, start):
                # A digest bounds memory whatever the texts' length.
                key = hashlib.blake2b(
                    text.encode("utf-8", "surrogatepass"), digest_size=16
                ).digest()
                unique = seen.setdefault(key, len(seen))
                if unique == len(first_rows):
                    first_rows.append(row)
                unique_of_row[row] = unique
        return cls(np.asarray(first_rows, np.int64), unique_of_row)

    @property
    def count(self) -> int:
        """How many distinct texts there are."""
        return len(self.first_rows)


def expand_rows(
    vectors: NDArray[np.float32], unique_of_row: NDArray[np.int64], target: BinaryIO
) -> None:
    """Write `vectors[unique_of_row]` as a .npy file, a block at a time."""
    shape = (len(unique_of_row), vectors.shape[1])
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(target, header)
    for start in range(0, len(unique_of_row), _BLOCK_ROWS):
        block = vectors[unique_of_row[start : start + _BLOCK_ROWS]]
        target.write(np.ascontiguousarray(block, "<f4").tobytes())
