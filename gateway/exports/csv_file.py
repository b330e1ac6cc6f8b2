"""Exports as CSV: the file's own records, the spreadsheet's profile, or a list of clusters."""

import csv
import io
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gateway.exports.excel_profile import excel_lines, to_excel_profile
from gateway.exports.sheet import Sheet, Table
from gateway.exports.texts import to_texts
from gateway.tables import AddedFields, write_extended, write_resampled

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def write_records(sheet: Sheet) -> Iterator[bytes]:
    """Yield the file's own records, byte for byte, with Level's fields behind them."""

    def texts(rows: NDArray[np.int64]) -> list[Sequence[str]]:
        return [to_texts(column.take(rows)) for column in sheet.added]

    source, drawn = sheet.source, sheet.drawn
    added = AddedFields(tuple(column.name for column in sheet.added), texts)
    files = source.paths["source"], source.array("records"), source.info
    if drawn.is_whole:
        return write_extended(*files, added)
    return write_resampled(*files, drawn.rows, added)


def write_list(table: Table) -> Iterator[bytes]:
    """Yield a table of Level's own as CSV in UTF-8."""
    yield _lines([table.names])
    for batch in table.batches:
        yield _lines(_rows(batch))


def write_excel_csv(table: Table) -> Iterator[bytes]:
    """Yield a table in the profile for spreadsheets, in UTF-8 with a byte order mark."""
    yield _BYTE_ORDER_MARK + excel_lines([[to_excel_profile(name) for name in table.names]])
    guarded = [pa.types.is_string(kind) for kind in table.schema.types]
    for batch in table.batches:
        columns = [
            list(map(to_excel_profile, to_texts(values))) if is_text else to_texts(values)
            for is_text, values in zip(guarded, batch.columns, strict=True)
        ]
        yield excel_lines(list(zip(*columns, strict=True)))


def _rows(batch: pa.RecordBatch) -> Iterator[tuple[str, ...]]:
    return zip(*(to_texts(values) for values in batch.columns), strict=True)


def _lines(rows: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
