"""Exports as Parquet, sent while it is written: a row group at a time is in memory."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from gateway.exports.drain import Drain

_GROUP_ROWS = 65_536
_GROUP_BYTES = 64 << 20


def write_parquet(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """Yield a Parquet file with these batches, compressed with zstd."""
    sink = Drain()
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for group in _groups(batches):
            writer.write_table(pa.Table.from_batches(group, schema), row_group_size=_GROUP_ROWS)
            yield sink.take()
    yield sink.take()


def _groups(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    group: list[pa.RecordBatch] = []
    for batch in batches:
        group.append(batch)
        rows = sum(one.num_rows for one in group)
        if rows >= _GROUP_ROWS or sum(one.nbytes for one in group) >= _GROUP_BYTES:
            yield group
            group = []
    if group:
        yield group
