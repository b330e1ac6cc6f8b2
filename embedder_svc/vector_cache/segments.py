"""The files of the cache: pairs that only grow, one of keys and one of records.

A pair is called a segment. Row i of ``NAME.keys`` is the key of record i of ``NAME.records``. One
process at a time appends to a segment: the one that holds the lock on its keys, which is free again
when that process ends, however it ends. Records are written before their keys, so a row counts once
both are there. A segment is deleted as a whole, at any moment, by anybody.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from embedder_svc.vector_cache.records import KEY_BYTES, WORD_BYTES, Words, word_count

FORMAT = 1
"""What the files are written in; those of another one are never read, and deleted in their turn."""

_FILE_NAME = re.compile(
    r"(?P<name>[0-9a-f]{16}-(?P<dimensions>\d{1,9})-[0-9a-f]{8}\.v(?P<format>\d{1,9}))"
    r"\.(?P<kind>keys|records)",
    re.ASCII,
)


@dataclass(frozen=True)
class Segment:
    """What the folder's listing says of one segment.

    Parameters
    ----------
    name : str
        Starts with when it was made, so that names rise with time.
    dimension_count : int
        Of its vectors.
    format : int
        What it is written in.
    row_count : int
        Rows that are whole; 0 for another format.
    byte_count : int
        Size of both files.
    used_ns : int
        When a row was last written or read, in nanoseconds since 1970.
    """

    name: str
    dimension_count: int
    format: int
    row_count: int
    byte_count: int
    used_ns: int


def list_segments(folder: Path) -> list[Segment]:
    """Return the folder's segments by name, none for a folder that is not there.

    Raises
    ------
    OSError
        The folder cannot be read.
    """
    found: dict[str, list[_File]] = {}
    for file in _files(folder):
        found.setdefault(file.name["name"], []).append(file)
    return [_segment(found[name]) for name in sorted(found)]


class _File(NamedTuple):
    """A file's parsed name and its status."""

    name: re.Match[str]
    status: os.stat_result


def _files(folder: Path) -> Iterator[_File]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if match := _FILE_NAME.fullmatch(entry.name):
            with suppress(FileNotFoundError):
                yield _File(match, entry.stat(follow_symlinks=False))


def _segment(files: list[_File]) -> Segment:
    name = files[0].name
    dimensions, written_in = int(name["dimensions"]), int(name["format"])
    sizes = {file.name["kind"]: file.status.st_size for file in files}
    rows = 0
    if written_in == FORMAT:
        record_bytes = WORD_BYTES * word_count(dimensions)
        rows = min(sizes.get("keys", 0) // KEY_BYTES, sizes.get("records", 0) // record_bytes)
    used_ns = max(file.status.st_mtime_ns for file in files)
    return Segment(name["name"], dimensions, written_in, rows, sum(sizes.values()), used_ns)


def read_keys(folder: Path, name: str, start: int, stop: int) -> Words:
    """Return the keys of rows [start, stop), or of fewer where the file has become shorter.

    Raises
    ------
    OSError
        The file is gone or cannot be read.
    """
    with (folder / f"{name}.keys").open("rb") as file:
        file.seek(start * KEY_BYTES)
        content = file.read((stop - start) * KEY_BYTES)
    whole = len(content) // KEY_BYTES * KEY_BYTES
    return np.frombuffer(content[:whole], dtype=np.uint64).reshape(-1, 2)


def touch(folder: Path, name: str) -> None:
    """Note that the segment was used now; where that cannot be written, it stays unsaid."""
    now = time.time_ns()
    with suppress(OSError):
        os.utime(folder / f"{name}.keys", ns=(now, now))


def delete(folder: Path, name: str) -> None:
    """Delete a segment, of which others may have deleted a part.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    for kind in ("records", "keys"):
        (folder / f"{name}.{kind}").unlink(missing_ok=True)


def new_name(dimension_count: int) -> str:
    """Return the name of a segment that is not there yet."""
    return f"{time.time_ns():016x}-{dimension_count}-{secrets.token_hex(4)}.v{FORMAT}"


class SegmentWriter:
    """Appends to one segment, which nobody else appends to meanwhile.

    Parameters
    ----------
    folder : Path
    name : str
    is_new : bool
        Make the segment; its folder too, for its owner alone.

    Raises
    ------
    BlockingIOError
        Another process appends to it, maybe since a moment after it was made.
    FileNotFoundError
        It has been deleted.
    OSError
        It cannot be opened, made or locked.
    """

    def __init__(self, folder: Path, name: str, *, is_new: bool) -> None:
        flags = os.O_RDWR | os.O_NOFOLLOW
        if is_new:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags |= os.O_CREAT | os.O_EXCL
        # The keys last: a segment that is listed with keys has records.
        self._keys, self._records = -1, os.open(folder / f"{name}.records", flags, 0o600)
        try:
            self._keys = os.open(folder / f"{name}.keys", flags, 0o600)
            fcntl.flock(self._keys, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.row_count = os.fstat(self._keys).st_size // KEY_BYTES
        except BlockingIOError:
            self.close()
            raise
        except BaseException:
            self.close()
            if is_new:
                delete(folder, name)
            raise

    @property
    def is_deleted(self) -> bool:
        """Whether somebody has deleted a part of it."""
        return 0 in (os.fstat(self._keys).st_nlink, os.fstat(self._records).st_nlink)

    def append(self, keys: Words, records: Words) -> None:
        """Write records and then their keys.

        Raises
        ------
        OSError
            The disk is full or broken; nothing counts as written.
        """
        # What a failed or killed write has left is overwritten. It is never cut off, since a
        # process that reads a page which is cut off meanwhile ends.
        _write(self._records, records, self.row_count * records[0].nbytes)
        _write(self._keys, keys, self.row_count * KEY_BYTES)
        self.row_count += len(records)

    def close(self) -> None:
        """Let others append to it; may be called again."""
        descriptors = (self._keys, self._records)
        self._keys = self._records = -1
        for descriptor in descriptors:
            if descriptor >= 0:
                os.close(descriptor)


def _write(descriptor: int, words: Words, offset: int) -> None:
    content = np.ascontiguousarray(words).data.cast("B")
    while content:
        written = os.pwrite(descriptor, content, offset)
        content, offset = content[written:], offset + written
