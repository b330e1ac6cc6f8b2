"""Writes records into the folder, and evicts what was not used for longest when it gets full."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from embedder_svc.vector_cache.records import KEY_BYTES, Words
from embedder_svc.vector_cache.segments import (
    FORMAT,
    SegmentWriter,
    delete,
    list_segments,
    new_name,
)

WRITE_BYTES = 2**20
"""What a process writes between two looks at the limit, so the most that it can exceed it by."""

# Space is freed in steps of one segment, and use is known for whole segments.
_SEGMENTS_AT_THE_LIMIT = 32
# Evicting a little more than needed, so that not every write has to.
_KEPT_SHARE = 0.9
# Segments left by processes that ended are filled up while they are among so many newest ones.
_ADOPTABLE_SEGMENTS = 8


class Appender:
    """One process's way of writing; needs a lock around it where there are threads.

    Parameters
    ----------
    folder : Path
    dimension_count : int
        Of the vectors in the records.
    byte_limit : int
        Most bytes of all files of the cache.
    """

    def __init__(self, folder: Path, dimension_count: int, byte_limit: int) -> None:
        self._folder = folder
        self._dimension_count = dimension_count
        self._byte_limit = byte_limit
        self._writer: SegmentWriter | None = None
        self._process_id = os.getpid()

    def append(self, keys: Words, records: Words) -> None:
        """Write records; one that is larger than the whole limit is left out.

        Raises
        ------
        OSError
            The folder cannot be written, or the disk is full.
        """
        row_bytes = KEY_BYTES + records[0].nbytes
        row_limit = max(1, self._byte_limit // _SEGMENTS_AT_THE_LIMIT // row_bytes)
        start = 0
        while start < len(keys):
            count = min(len(keys) - start, max(1, WRITE_BYTES // row_bytes))
            if not self.make_room(count * row_bytes):
                return
            writer = self._open_writer(row_limit)
            stop = start + min(count, row_limit - writer.row_count)
            writer.append(keys[start:stop], records[start:stop])
            start = stop

    def make_room(self, byte_count: int) -> bool:
        """Return whether so much more fits, after evicting what has to be.

        Raises
        ------
        OSError
            The folder cannot be read or written.
        """
        listed = sorted(list_segments(self._folder), key=lambda segment: segment.used_ns)
        size = sum(segment.byte_count for segment in listed) + byte_count
        if size <= self._byte_limit or byte_count > self._byte_limit:
            return size <= self._byte_limit
        for segment in listed:
            if size <= _KEPT_SHARE * self._byte_limit:
                break
            delete(self._folder, segment.name)
            size -= segment.byte_count
        return size <= self._byte_limit

    def close(self) -> None:
        """Let another process append to the segment that this one appends to."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None

    def _open_writer(self, row_limit: int) -> SegmentWriter:
        """Return a writer of a segment that has fewer rows."""
        writer = self._writer
        # A fork shares its parent's files and lock: it would write over the parent's rows.
        is_own = self._process_id == os.getpid()
        if writer and is_own and writer.row_count < row_limit and not writer.is_deleted:
            return writer
        self.close()
        self._process_id = os.getpid()
        self._writer = self._adopt(row_limit)
        while self._writer is None:
            # Another process may adopt the new one, and even fill it, before it is locked.
            self._writer = self._try(new_name(self._dimension_count), row_limit, is_new=True)
        return self._writer

    def _adopt(self, row_limit: int) -> SegmentWriter | None:
        """Return a writer of a recent segment that has room and that nobody appends to."""
        for segment in list_segments(self._folder)[: -_ADOPTABLE_SEGMENTS - 1 : -1]:
            is_ours = (segment.format, segment.dimension_count) == (FORMAT, self._dimension_count)
            if is_ours and segment.row_count < row_limit:
                with suppress(FileNotFoundError):
                    if writer := self._try(segment.name, row_limit):
                        return writer
        return None

    def _try(self, name: str, row_limit: int, *, is_new: bool = False) -> SegmentWriter | None:
        with suppress(BlockingIOError):
            writer = SegmentWriter(self._folder, name, is_new=is_new)
            if writer.row_count < row_limit and not writer.is_deleted:
                return writer
            writer.close()
        return None
