"""The rows of a table as Arrow batches, in the file's order or in any other, a block in memory.

Rows lie in Parquet, which is read from front to end. For another order they are first laid out in
a file that can be mapped; that has no name any more once it is open, so nothing is left of it.
"""

import tempfile
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

BLOCK_ROWS = 8_192
Block = tuple[NDArray[np.int64], list[pa.Array]]


class Cells:
    """The cells of a table, as the reader gave them.

    Parameters
    ----------
    rows_path : Path
        The Parquet file that `read_table` wrote.
    scratch : Path
        A folder for the file that is mapped.
    """

    def __init__(self, rows_path: Path, scratch: Path) -> None:
        self._file = pq.ParquetFile(rows_path)
        self._scratch = scratch

    def at(self, rows: NDArray[np.int64]) -> Iterator[Block]:
        """Yield row numbers and the columns of those rows, strings, at most `BLOCK_ROWS` of them.

        Parameters
        ----------
        rows : ndarray of int64, shape (n,)
            Row numbers in the order wanted; they may repeat.
        """
        rising = bool((np.diff(rows) >= 0).all())
        yield from self._in_order(rows) if rising else self._in_any_order(rows)

    def at_random(self, rows: NDArray[np.int64]) -> Iterator[Block]:
        """Yield as `at`; for many short calls, of which each would read the file from its front."""
        return self._in_any_order(rows)

    def _in_order(self, rows: NDArray[np.int64]) -> Iterator[Block]:
        start = 0
        for group in range(self._file.num_row_groups):
            size = self._file.metadata.row_group(group).num_rows
            low, high = np.searchsorted(rows, [start, start + size])
            if low < high:
                batch = self._file.read_row_group(group, use_threads=False).combine_chunks()
                for block in _blocks(rows[low:high]):
                    yield block, batch.take(pa.array(block - start)).combine_chunks().columns
            start += size

    def _in_any_order(self, rows: NDArray[np.int64]) -> Iterator[Block]:
        batches, starts = self._mapped
        for block in _blocks(rows):
            homes = np.searchsorted(starts, block, side="right") - 1
            order = np.argsort(homes, kind="stable")
            parts = [
                batches[home].take(pa.array(block[order[own]] - starts[home]))
                for home, own in _runs(homes[order])
            ]
            table = pa.Table.from_batches(parts).combine_chunks()
            back = np.empty_like(order)
            back[order] = np.arange(order.size)
            yield block, table.take(pa.array(back)).combine_chunks().columns

    @cached_property
    def _mapped(self) -> tuple[list[pa.RecordBatch], NDArray[np.int64]]:
        with tempfile.NamedTemporaryFile(dir=self._scratch, prefix="cells-") as target:
            schema = self._file.schema_arrow
            with pa.ipc.new_file(target, schema) as writer:
                for batch in self._file.iter_batches(BLOCK_ROWS * 8):
                    writer.write_batch(batch)
            target.flush()
            mapped = pa.ipc.open_file(pa.memory_map(target.name))
        batches = [mapped.get_batch(index) for index in range(mapped.num_record_batches)]
        sizes = [batch.num_rows for batch in batches]
        return batches, np.cumsum([0, *sizes[:-1]])


def _blocks(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for first in range(0, rows.size, BLOCK_ROWS):
        yield rows[first : first + BLOCK_ROWS]


def _runs(values: NDArray[np.int64]) -> Iterator[tuple[int, slice]]:
    """Yield each value of a sorted array with the slice where it stands."""
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), values.size]
    for low, high in pairwise(edges):
        yield int(values[low]), slice(low, high)
