"""Reads rows back from the Parquet file that `read_table` wrote, in order, a range at a time."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_BLANK = r"^\s*$"


def column_name(position: int) -> str:
    """Return the Parquet name of a column, which its own name, repeated or empty, could not be."""
    return f"c{position}"


def read_texts(
    rows_path: Path, position: int, start: int = 0, stop: int | None = None
) -> list[str]:
    """Return the cells of one column in rows [start, stop), in order.

    Parameters
    ----------
    rows_path : Path
        The Parquet file.
    position : int
        The column's position, from 0.
    start, stop : int
        Row numbers from 0; `stop` None is the end.
    """
    tables = _read_groups(rows_path, [column_name(position)], start, stop)
    return [text for table in tables for text in table.column(0).to_pylist()]


def read_rows(rows_path: Path, start: int = 0, stop: int | None = None) -> list[tuple[str, ...]]:
    """Return the rows [start, stop), in order, each as its cells in the file's order of columns."""
    rows: list[tuple[str, ...]] = []
    for table in _read_groups(rows_path, None, start, stop):
        rows.extend(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return rows


def count_blank_cells(rows_path: Path, position: int) -> int:
    """Return how many cells of one column are empty or hold nothing but spaces."""
    counts = (
        pc.sum(pc.match_substring_regex(table.column(0), _BLANK)).as_py() or 0
        for table in _read_groups(rows_path, [column_name(position)], 0, None)
    )
    return sum(counts)


def _read_groups(
    rows_path: Path, columns: list[str] | None, start: int, stop: int | None
) -> Iterator[pa.Table]:
    """Yield the wanted rows, reading only the row groups in which they are."""
    with pq.ParquetFile(rows_path) as file:
        first = 0
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            low, high = max(start - first, 0), size if stop is None else min(stop - first, size)
            if low < high:
                yield file.read_row_group(group, columns=columns).slice(low, high - low)
            first += size
