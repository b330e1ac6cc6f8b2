"""Cells of rows that need not follow each other."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray


def read_cells(rows: Path, column: int, row_ids: Sequence[int] | NDArray[np.int64]) -> list[str]:
    """Return the cells of one column of a rows file, in the order of `row_ids`.

    Only the row groups that hold one of the rows are read, one at a time.
    """
    wanted = np.asarray(row_ids, np.int64)
    cells: list[str] = [""] * len(wanted)
    with pq.ParquetFile(rows) as file:
        name = file.schema_arrow.names[column]
        first = 0
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            places = np.flatnonzero((wanted >= first) & (wanted < first + size))
            if len(places):
                texts = file.read_row_group(group, columns=[name]).column(0)
                found = texts.take(wanted[places] - first).to_pylist()
                for place, text in zip(places, found, strict=True):
                    cells[place] = text
            first += size
    return cells
