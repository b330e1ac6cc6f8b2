"""Exports: the upload's own bytes, record by record, with fields added or drawn anew.

Nothing is decoded and encoded again, so every cell comes back as it came, whatever its quoting.
"""

import mmap
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.tables.dialect import Dialect
from gateway.tables.table_info import TableInfo

_BLOCK_BYTES = 1 << 20
_BLOCK_ROWS = 8_192
_LINE_ENDINGS = ("\r\n", "\n", "\r")


@dataclass(frozen=True)
class AddedFields:
    """Fields that stand behind those of the file.

    Parameters
    ----------
    names : tuple of str
        Their names, for the header.
    texts : callable
        Given row numbers, an int64 array, it returns a list of as many texts for each name.
    """

    names: tuple[str, ...]
    texts: Callable[[NDArray[np.int64]], Sequence[Sequence[str]]]


NOTHING_ADDED = AddedFields((), lambda rows: [])


def write_weighted(
    source: Path, spans: NDArray[np.int64], info: TableInfo, weights: NDArray[np.float64]
) -> Iterator[bytes]:
    """Yield the file as it came plus one field in each record: its row's weight.

    Parameters
    ----------
    source, spans, info
        As for `write_extended`.
    weights : ndarray of float64, shape (rows,)
        Written with the fewest digits that give the same number back.
    """
    if len(weights) != len(spans):
        raise ValueError(f"{len(weights)} weights for {len(spans)} rows")
    numbers = np.asarray(weights, np.float64)
    added = AddedFields(
        (weight_name(info.columns),), lambda rows: [list(map(repr, numbers[rows].tolist()))]
    )
    return write_extended(source, spans, info, added)


def write_extended(
    source: Path, spans: NDArray[np.int64], info: TableInfo, added: AddedFields
) -> Iterator[bytes]:
    """Yield the file as it came plus the added fields in each record.

    Empty lines and a byte order mark stay where they are; a record that lacks cells gets the
    delimiters it lacks, so that what is added stands under its name.

    Parameters
    ----------
    source : Path
        The file as it came.
    spans : ndarray of int64, shape (rows, 3)
        As in ``records.npy``.
    info : TableInfo
        What `read_table` returned.
    added : AddedFields
    """
    frame = _Frame(info)
    with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield frame.header(data, added.names)
        end = info.header_end
        for first in range(0, len(spans), _BLOCK_ROWS):
            rows = np.arange(first, min(first + _BLOCK_ROWS, len(spans)))
            parts = []
            for (start, stop, field_count), fields in zip(
                spans[rows].tolist(), frame.fields(added, rows), strict=True
            ):
                parts.append(data[end:start])
                parts.append(frame.with_fields(data[start:stop], field_count, fields))
                end = stop
            yield b"".join(parts)
        yield data[end:]


def write_resampled(
    source: Path,
    spans: NDArray[np.int64],
    info: TableInfo,
    rows: Iterable[int] | NDArray[np.int64],
    added: AddedFields = NOTHING_ADDED,
) -> Iterator[bytes]:
    """Yield the header as it came and then the records of `rows`, in that order, as they came.

    Parameters
    ----------
    source, spans, info, added
        As for `write_extended`.
    rows : iterable of int
        Row numbers from 0; they may repeat.
    """
    frame = _Frame(info)
    wanted = np.asarray(rows if isinstance(rows, np.ndarray) else list(rows), np.int64)
    with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        parts = [frame.header(data, added.names)]
        size = len(parts[0])
        for first in range(0, wanted.size, _BLOCK_ROWS):
            block = wanted[first : first + _BLOCK_ROWS]
            for (start, stop, field_count), fields in zip(
                spans[block].tolist(), frame.fields(added, block), strict=True
            ):
                record = frame.with_line_ending(data[start:stop])
                parts.append(frame.with_fields(record, field_count, fields))
                size += len(parts[-1])
                if size > _BLOCK_BYTES:
                    yield b"".join(parts)
                    parts, size = [], 0
        yield b"".join(parts)


def weight_name(columns: Sequence[str]) -> str:
    """Return the name of the added column of weights: see `free_name`."""
    return free_name("weight", columns)


def free_name(wanted: str, columns: Iterable[str]) -> str:
    """Return `wanted`, or with ``level_`` before it, or the next that no column has already.

    Names are the same when they look the same: compared without case, outer spaces, width of
    letters and invisible characters.
    """
    taken = {_comparable(column) for column in columns}
    own = f"level_{wanted}"
    names = [wanted, own, *(f"{own}_{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)


def line_ending_of(line: str) -> str:
    """Return the line ending of a physical line, empty when it has none."""
    return next((ending for ending in _LINE_ENDINGS if line.endswith(ending)), "")


class _Frame:
    """The file's delimiter and line endings as bytes of its own encoding."""

    def __init__(self, info: TableInfo) -> None:
        self._info = info
        self._encoding = info.encoding
        self._column_count = len(info.columns)
        self._delimiter = info.dialect.delimiter.encode(info.encoding)
        self._endings = tuple(ending.encode(info.encoding) for ending in _LINE_ENDINGS)
        self._own_ending = info.line_ending.encode(info.encoding)

    def header(self, data: mmap.mmap, names: Sequence[str]) -> bytes:
        fields = self._joined(names) if names else None
        return self.with_fields(data[: self._info.header_end], self._column_count, fields)

    def fields(self, added: AddedFields, rows: NDArray[np.int64]) -> Iterable[bytes | None]:
        """Return what stands behind each record: the added fields, joined; None without any."""
        if not added.names:
            return repeat(None, len(rows))
        return map(self._joined, zip(*added.texts(rows), strict=True))

    def with_fields(self, record: bytes, field_count: int, fields: bytes | None) -> bytes:
        if fields is None:
            return record
        ending = self._ending_of(record)
        missing = self._column_count - field_count + 1
        return record[: len(record) - len(ending)] + self._delimiter * missing + fields + ending

    def with_line_ending(self, record: bytes) -> bytes:
        return record if self._ending_of(record) else record + self._own_ending

    def _joined(self, values: Sequence[str]) -> bytes:
        dialect = self._info.dialect
        line = dialect.delimiter.join([quote_field(value, dialect) for value in values])
        # A name of ours may hold letters that the file's encoding has not.
        return line.encode(self._encoding, "replace")

    def _ending_of(self, record: bytes) -> bytes:
        return next((ending for ending in self._endings if record.endswith(ending)), b"")


def quote_field(value: str, dialect: Dialect) -> str:
    """Return a cell as it is written in a dialect, in quotes where it needs them.

    Where a dialect has no quotes, what would end the cell becomes a space.
    """
    if not dialect.quote_char:
        return _special(dialect).sub(" ", value)
    if not value.startswith(" ") and not _special(dialect).search(value):
        return value
    if dialect.escape_char:
        value = value.replace(dialect.escape_char, dialect.escape_char * 2)
    quote = dialect.quote_char
    return f"{quote}{value.replace(quote, quote * 2)}{quote}"


@cache
def _special(dialect: Dialect) -> re.Pattern[str]:
    """Return what matches a character that cannot stand in a cell without quotes."""
    chars = f"{dialect.delimiter}\r\n{dialect.quote_char}{dialect.escape_char}"
    return re.compile(f"[{re.escape(chars)}]")


def _comparable(name: str) -> str:
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(char for char in folded if unicodedata.category(char) != "Cf").strip()
