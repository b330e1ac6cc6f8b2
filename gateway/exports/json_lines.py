"""Exports as JSON Lines: an object for each line, every cell of a person's as a string."""

import json
from collections.abc import Iterable, Iterator

import pyarrow as pa

from gateway.exports.texts import to_values

# Some readers take these for ends of lines, which inside of a string they are not.
_LINE_SEPARATORS = str.maketrans({"\u2028": "\\u2028", "\u2029": "\\u2029", "\x85": "\\u0085"})


def write_json_lines(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """Yield a JSON object for each row, in UTF-8, each ended by a line feed."""
    for batch in batches:
        columns = [to_values(column) for column in batch.columns]
        lines = (
            json.dumps(dict(zip(schema.names, row, strict=True)), ensure_ascii=False)
            for row in zip(*columns, strict=True)
        )
        yield "".join(f"{line.translate(_LINE_SEPARATORS)}\n" for line in lines).encode()
