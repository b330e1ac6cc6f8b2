"""Exports: the upload's own bytes, record by record, with a weight added or drawn anew.

Nothing is decoded and encoded again, so every cell comes back as it came, whatever its quoting.
"""

import mmap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.tables.table_info import TableInfo

_BLOCK_BYTES = 1 << 20
_BLOCK_ROWS = 8_192
_LINE_ENDINGS = ("\r\n", "\n", "\r")
_WEIGHT_NAMES = ("weight", "level_weight")


def write_weighted(
    source: Path, spans: NDArray[np.int64], info: TableInfo, weights: NDArray[np.float64]
) -> Iterator[bytes]:
    """Yield the file as it came plus one field in each record: its row's weight.

    Empty lines and a byte order mark stay where they are; a record that lacks cells gets the
    delimiters it lacks, so that its weight stands under its name.

    Parameters
    ----------
    source : Path
        The file as it came.
    spans : ndarray of int64, shape (rows, 3)
        As in ``records.npy``.
    info : TableInfo
        What `read_table` returned.
    weights : ndarray of float64, shape (rows,)
        Written with the fewest digits that give the same number back.
    """
    if len(weights) != len(spans):
        raise ValueError(f"{len(weights)} weights for {len(spans)} rows")
    frame = _Frame(info)
    with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield frame.with_field(
            data[: info.header_end], len(info.columns), weight_name(info.columns)
        )
        end = info.header_end
        for first in range(0, len(spans), _BLOCK_ROWS):
            block = slice(first, first + _BLOCK_ROWS)
            parts = []
            for (start, stop, field_count), weight in zip(
                spans[block].tolist(), np.asarray(weights[block], np.float64).tolist(), strict=True
            ):
                parts.append(data[end:start])
                parts.append(frame.with_field(data[start:stop], field_count, repr(weight)))
                end = stop
            yield b"".join(parts)
        yield data[end:]


def write_resampled(
    source: Path, spans: NDArray[np.int64], info: TableInfo, rows: Iterable[int]
) -> Iterator[bytes]:
    """Yield the header as it came and then the records of `rows`, in that order, as they came.

    Parameters
    ----------
    source, spans, info
        As for `write_weighted`.
    rows : iterable of int
        Row numbers from 0; they may repeat.
    """
    frame = _Frame(info)
    with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        parts, size = [data[: info.header_end]], info.header_end
        for row in rows:
            start, stop, _ = spans[row].tolist()
            record = frame.with_line_ending(data[start:stop])
            parts.append(record)
            size += len(record)
            if size > _BLOCK_BYTES:
                yield b"".join(parts)
                parts, size = [], 0
        yield b"".join(parts)


def weight_name(columns: Sequence[str]) -> str:
    """Return the name of the added column: ``weight``, or the next that no column has already.

    Names are the same when they look the same: compared without case, outer spaces, width of
    letters and invisible characters.
    """
    taken = {_comparable(column) for column in columns}
    names = [*_WEIGHT_NAMES, *(f"level_weight_{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)


def line_ending_of(line: str) -> str:
    """Return the line ending of a physical line, empty when it has none."""
    return next((ending for ending in _LINE_ENDINGS if line.endswith(ending)), "")


class _Frame:
    """The file's delimiter and line endings as bytes of its own encoding."""

    def __init__(self, info: TableInfo) -> None:
        self._encoding = info.encoding
        self._column_count = len(info.columns)
        self._delimiter = info.dialect.delimiter.encode(info.encoding)
        self._endings = tuple(ending.encode(info.encoding) for ending in _LINE_ENDINGS)
        self._own_ending = info.line_ending.encode(info.encoding)

    def with_field(self, record: bytes, field_count: int, value: str) -> bytes:
        ending = self._ending_of(record)
        missing = self._column_count - field_count + 1
        body = record[: len(record) - len(ending)]
        return body + self._delimiter * missing + value.encode(self._encoding) + ending

    def with_line_ending(self, record: bytes) -> bytes:
        return record if self._ending_of(record) else record + self._own_ending

    def _ending_of(self, record: bytes) -> bytes:
        return next((ending for ending in self._endings if record.endswith(ending)), b"")


def _comparable(name: str) -> str:
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(char for char in folded if unicodedata.category(char) != "Cf").strip()
