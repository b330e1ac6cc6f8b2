"""What one process knows of the folder's segments: which keys are in which row of which."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedder_svc.vector_cache.key_index import ROW_BITS, KeyIndex
from embedder_svc.vector_cache.records import WORD_BYTES, Words, word_count
from embedder_svc.vector_cache.segment_reader import SegmentReader
from embedder_svc.vector_cache.segments import FORMAT, Segment, list_segments, read_keys

Places = NDArray[np.int64]


class Catalog:
    """The keys in a folder's segments of one dimension count, as last looked at.

    Parameters
    ----------
    folder : Path
    dimension_count : int
        Other segments are left aside.
    """

    def __init__(self, folder: Path, dimension_count: int) -> None:
        self._folder = folder
        self._dimension_count = dimension_count
        self._index = KeyIndex()
        # A segment's number is its position here; none is used again, so places stay true.
        self._names: list[str] = []
        self._row_counts: dict[int, int] = {}
        self._readers: dict[int, SegmentReader] = {}

    def refresh(self) -> list[Segment]:
        """Learn what was written and deleted since, by whichever process; return all segments.

        Raises
        ------
        OSError
            The folder cannot be read.
        """
        segments = list_segments(self._folder)
        listed = {one.name: one for one in segments if self._is_ours(one)}
        self._forget(listed)
        numbers = {self._names[number]: number for number in self._row_counts}
        keys: list[Words] = []
        places: list[Places] = []
        for name, segment in listed.items():
            known = self._row_counts.get(numbers.get(name, -1), 0)
            # Another process may have deleted it since it was listed.
            with suppress(FileNotFoundError):
                if segment.row_count > known:
                    keys.append(read_keys(self._folder, name, known, segment.row_count))
                    places.append(self._count_rows(name, numbers.get(name), known, len(keys[-1])))
        if keys:
            self._index.add(np.concatenate(keys), np.concatenate(places))
        return segments

    def find(self, keys: Words) -> Places:
        """Return the place of each key, or -1."""
        return self._index.find(keys)

    def reader_at(self, place: int) -> SegmentReader:
        """Return the reader of the segment of a place, which may be deleted by now."""
        number = place >> ROW_BITS
        if number not in self._readers:
            record_bytes = WORD_BYTES * word_count(self._dimension_count)
            self._readers[number] = SegmentReader(self._folder, self._names[number], record_bytes)
        return self._readers[number]

    def _is_ours(self, segment: Segment) -> bool:
        return segment.format == FORMAT and segment.dimension_count == self._dimension_count

    def _forget(self, listed: dict[str, Segment]) -> None:
        """Forget segments that are gone or, damaged, have become shorter."""
        gone = [
            number
            for number, rows in self._row_counts.items()
            if (name := self._names[number]) not in listed or listed[name].row_count < rows
        ]
        for number in gone:
            del self._row_counts[number]
            self._readers.pop(number, None)
        if gone:
            self._index.forget(gone)

    def _count_rows(self, name: str, number: int | None, start: int, count: int) -> Places:
        """Note that rows of a segment are known; return their places."""
        if number is None:
            number = len(self._names)
            self._names.append(name)
        self._row_counts[number] = start + count
        return (number << ROW_BITS) + np.arange(start, start + count, dtype=np.int64)
