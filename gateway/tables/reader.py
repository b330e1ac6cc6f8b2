"""Reads delimited text without losing a byte: rows to Parquet, and where each record stands.

The bytes of the upload stay the truth. Beside them stand its rows as strings, for computing, and
the byte span of every record, so that exports can hand the records out again as they came.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from gateway.tables.dialect import Dialect, detect_dialect, sep_line_delimiter
from gateway.tables.encoding import Encoding, detect_encoding, wide_encoding
from gateway.tables.errors import EmptyTable, TooFewRows
from gateway.tables.filetype import HEAD_BYTES, refuse_other_file_types
from gateway.tables.lines import LineFeed, physical_lines
from gateway.tables.records import Record, RecordReader, cell_limit
from gateway.tables.rows import column_name, count_blank_cells
from gateway.tables.shape import RowShape
from gateway.tables.table_info import TableInfo, TableLimits
from gateway.tables.text_column import (
    RowSample,
    detect_text_column,
    find_text_column,
    no_text_in_column,
)
from gateway.tables.writer import line_ending_of

ROWS_FILE = "rows.parquet"
RECORDS_FILE = "records.npy"

_SAMPLE_LINES = 1_000
_SAMPLE_CHARS = 200_000
_GROUP_ROWS = 50_000
_GROUP_BYTES = 32 << 20
_GROUP_CELLS = 2_000_000
_FEW_TEXTS = 10


def read_table(
    path: Path,
    out_dir: Path,
    text_column: str | None = None,
    limits: TableLimits | None = None,
    *,
    dialect: Dialect | None = None,
) -> TableInfo:
    """Return what the table holds, after writing its rows and the spans of its records.

    Writes into `out_dir`: ``rows.parquet``, columns ``c0``, ``c1`` ... of strings by position, and
    ``records.npy``, int64 of shape [rows, 3]: for each row the byte offsets [start, end) of its
    record in the file, line ending included, and the number of fields that stand there.

    Parameters
    ----------
    path : Path
        The file; it is read only.
    out_dir : Path
        An existing folder.
    text_column : str, optional
        Name of the column to cluster; detected when it is not given.
    limits : TableLimits, optional
        How large the table may be.
    dialect : Dialect, optional
        The delimiter and quoting; detected when it is not given.

    Raises
    ------
    TableError
        The file is not a usable table. Files already written are incomplete then.
    """
    limits = limits or TableLimits()
    encoding = _open_as_text(path)
    source = physical_lines(path, encoding)
    sample = _take_sample(source)
    _refuse_blank(sample)
    with cell_limit(limits.max_cell_bytes):
        dialect = dialect or _dialect_of(sample, path.stat().st_size - encoding.bom_length)
        feed = _feed_from_header(sample, source, encoding)
        reader = RecordReader(feed, dialect, limits.max_cell_bytes)
        return _Reading(path, encoding, feed, reader, limits).run(out_dir, text_column)


def _open_as_text(path: Path) -> Encoding:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise EmptyTable("The file is empty: it has 0 bytes.")
    wide = wide_encoding(head)
    refuse_other_file_types(head, wide is not None and wide.unit_bytes > 1)
    return detect_encoding(path, head)


def _take_sample(source: Iterator[tuple[str, int]]) -> list[tuple[str, int]]:
    sample, chars = [], 0
    for line, size in source:
        sample.append((line, size))
        chars += len(line)
        if len(sample) == _SAMPLE_LINES or chars > _SAMPLE_CHARS:
            break
    return sample


def _refuse_blank(sample: list[tuple[str, int]]) -> None:
    if not any(line.strip() for line, _ in sample):
        found = "only blank lines" if sample else "only a byte order mark"
        raise EmptyTable(f"The file holds {found}: there is no header and no row.")


def _dialect_of(sample: list[tuple[str, int]], text_bytes: int) -> Dialect:
    lines = [line[:_SAMPLE_CHARS] for line, _ in sample]
    is_whole_file = sum(size for _, size in sample) == text_bytes and len(lines[-1]) < _SAMPLE_CHARS
    return detect_dialect(lines, is_whole_file)


def _feed_from_header(
    sample: list[tuple[str, int]], source: Iterator[tuple[str, int]], encoding: Encoding
) -> LineFeed:
    """Return the lines from the header on: a first line such as ``sep=;`` is no record."""
    first_line, first_size = sample[0]
    if sep_line_delimiter(first_line) is None:
        return LineFeed(chain(sample, source), encoding.bom_length)
    return LineFeed(chain(sample[1:], source), encoding.bom_length + first_size, lines_before=1)


class _Reading:
    """One pass over the records of a table."""

    def __init__(
        self,
        path: Path,
        encoding: Encoding,
        feed: LineFeed,
        reader: RecordReader,
        limits: TableLimits,
    ) -> None:
        self._path, self._encoding, self._limits = path, encoding, limits
        self._feed, self._reader = feed, reader
        self._records = iter(reader)
        header = next(self._records, None)
        if header is None:
            raise EmptyTable("The file holds no header and no row.")
        self._header_end = header.end
        self._line_ending = line_ending_of(feed.record_lines[-1])
        self._shape = RowShape(header, limits)
        self._sample = RowSample(len(header.cells))

    def run(self, out_dir: Path, text_column: str | None) -> TableInfo:
        """Write rows and spans into the folder, choose the text column and return the facts."""
        columns = self._shape.columns
        chosen = None if text_column is None else find_text_column(columns, text_column)
        spans = self._write_rows(out_dir / ROWS_FILE)
        self._feed.check_complete(self._path.stat().st_size)
        np.save(out_dir / RECORDS_FILE, spans, allow_pickle=False)
        chosen = chosen or detect_text_column(columns, self._sample.rows)
        blank_count = count_blank_cells(out_dir / ROWS_FILE, chosen.position)
        if blank_count == len(spans):
            raise no_text_in_column(columns, chosen.position)
        return TableInfo(
            row_count=len(spans),
            columns=columns,
            text_column=chosen.position,
            text_column_name=columns[chosen.position],
            text_column_reason=chosen.reason,
            encoding=self._encoding.name,
            encoding_guessed=self._encoding.guessed,
            bom_length=self._encoding.bom_length,
            dialect=self._reader.dialect,
            line_ending=self._line_ending,
            header_end=self._header_end,
            byte_count=self._feed.offset,
            short_row_count=self._shape.short_row_count,
            blank_line_count=self._reader.blank_line_count,
            blank_text_count=blank_count,
            warnings=tuple(self._warnings(chosen.position, blank_count)),
        )

    def _write_rows(self, path: Path) -> NDArray[np.int64]:
        """Write the rows and return the spans; refuse records too long and rows too few."""
        names = [column_name(position) for position in range(len(self._shape.columns))]
        schema = pa.schema([(name, pa.string()) for name in names])
        spans = [np.empty((0, 3), dtype=np.int64)]
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for group in self._groups():
                rows = [self._shape.fit(record) for record in group]
                for row in rows:
                    self._sample.add(row)
                arrays = [pa.array(cells, pa.string()) for cells in zip(*rows, strict=True)]
                writer.write_batch(pa.record_batch(arrays, schema=schema))
                spans.append(np.array([(r.start, r.end, len(r.cells)) for r in group], np.int64))
        self._shape.check_long_records()
        self._check_row_count()
        return np.concatenate(spans)

    def _groups(self) -> Iterator[list[Record]]:
        """Gather records for Parquet's row groups, each of which has to fit into memory."""
        most_rows = min(_GROUP_ROWS, max(1, _GROUP_CELLS // len(self._shape.columns)))
        group: list[Record] = []
        group_start = self._header_end
        for record in self._records:
            group.append(record)
            if len(group) == most_rows or record.end - group_start > _GROUP_BYTES:
                yield group
                group, group_start = [], record.end
        if group:
            yield group

    def _check_row_count(self) -> None:
        if self._shape.row_count == 0:
            raise EmptyTable("The file holds a header but no row.")
        if self._shape.row_count < self._limits.min_rows:
            raise TooFewRows(self._shape.row_count, self._limits.min_rows)

    def _warnings(self, text_position: int, blank_count: int) -> Iterator[str]:
        if self._encoding.guessed:
            yield (
                f"The encoding is a guess: {self._encoding.name}. If letters look wrong, save the"
                " file as UTF-8 and upload it again."
            )
        yield from self._shape.warnings()
        yield from self._reader.warnings()
        if blank_count:
            yield f"{blank_count:,} rows have no text in the text column."
        if len({row[text_position] for row in self._sample.rows}) < _FEW_TEXTS:
            yield "The text column holds fewer than ten different texts; another may serve better."
