"""An export as a table: a person's columns, then Level's, a batch of lines at a time."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gateway.exports.cells import Block, Cells
from gateway.exports.columns import AddedColumn, added_columns, unique_names
from gateway.exports.drawing import DrawnRows, draw_rows
from gateway.exports.options import ExportOptions
from gateway.exports.source import ExportSource


@dataclass(frozen=True, eq=False)
class Table:
    """A table that is made while it is written.

    Parameters
    ----------
    names : tuple of str
        As they are shown; they may repeat.
    schema : pyarrow.Schema
        Types, and names of which none repeats.
    batches : iterator of pyarrow.RecordBatch
    row_count : int, optional
        Where it is known beforehand.
    """

    names: tuple[str, ...]
    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    row_count: int | None = None


@dataclass(frozen=True, eq=False)
class Sheet:
    """The rows of an export and all of its columns.

    Parameters
    ----------
    source : ExportSource
    drawn : DrawnRows
    added : list of AddedColumn
    scratch : Path
        A folder for what does not fit into memory.
    """

    source: ExportSource
    drawn: DrawnRows
    added: list[AddedColumn]
    scratch: Path

    @classmethod
    def make(cls, source: ExportSource, options: ExportOptions, scratch: Path) -> Self:
        """Return the sheet of an export; every file that it is made from is open then."""
        drawn = draw_rows(source, options)
        return cls(source, drawn, added_columns(source, options, drawn), scratch)

    @cached_property
    def schema(self) -> pa.Schema:
        """Types and names; metadata ``level`` tells the file's own names as they came."""
        own = self.source.info.columns
        added = [column.name for column in self.added]
        fields = [pa.field(name, pa.string()) for name in unique_names(own, added)]
        fields += [pa.field(column.name, column.type) for column in self.added]
        about = {"columns": own, "added_columns": added}
        return pa.schema(fields, metadata={"level": json.dumps(about)})

    @cached_property
    def cells(self) -> Cells:
        """The person's own cells."""
        return Cells(self.source.paths["rows"], self.scratch)

    def table(self) -> Table:
        """Return all lines as a table."""
        names = (*self.source.info.columns, *(column.name for column in self.added))
        batches = self._batches(self.cells.at(self.drawn.rows))
        return Table(names, self.schema, batches, self.drawn.rows.size)

    def batches_of(self, rows: NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
        """Yield the lines of some rows, in that order."""
        return self._batches(self.cells.at_random(rows))

    def _batches(self, blocks: Iterator[Block]) -> Iterator[pa.RecordBatch]:
        for rows, own in blocks:
            arrays = [
                one.combine_chunks() if isinstance(one, pa.ChunkedArray) else one for one in own
            ]
            arrays += [column.take(rows) for column in self.added]
            yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)
