"""Copies records out of a segment."""

from __future__ import annotations

import mmap
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedder_svc.vector_cache.records import Words
from embedder_svc.vector_cache.segments import touch


class SegmentReader:
    """Copies records out of one segment, even after it was deleted; safe with threads.

    The records stay mapped, since mapping them anew for each read costs more than the read.

    Parameters
    ----------
    folder : Path
    name : str
    record_bytes : int
    """

    def __init__(self, folder: Path, name: str, record_bytes: int) -> None:
        self._folder = folder
        self._name = name
        self._record_bytes = record_bytes
        self._mapped: mmap.mmap | None = None

    def read(self, rows: NDArray[np.int64], out: Words) -> None:
        """Copy the records of rising ``rows`` to ``out``; of one that is not there, anything.

        Raises
        ------
        OSError
            The file is gone or cannot be read.
        """
        mapped = self._mapped
        if mapped is None or len(mapped) <= rows[-1] * self._record_bytes:
            mapped = self._mapped = self._map()
        # Asked anew each time: to read beyond the end of a file cut short would end this process.
        size = min(mapped.size(), len(mapped)) if mapped is not None else 0
        count = size // self._record_bytes
        if mapped is None or not count:
            out[:] = 0
            return
        records = np.frombuffer(mapped, np.uint64, count * out.shape[1]).reshape(count, -1)
        # One copy, which does not hold the interpreter's lock while the disk is waited for.
        np.take(records, np.where(rows < count, rows, 0), axis=0, out=out, mode="clip")
        touch(self._folder, self._name)

    def _map(self) -> mmap.mmap | None:
        """Return the file's whole records, None where there are none."""
        with (self._folder / f"{self._name}.records").open("rb") as file:
            size = os.fstat(file.fileno()).st_size // self._record_bytes * self._record_bytes
            # A file that becomes shorter in between is refused with a ValueError.
            with suppress(ValueError):
                return mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) if size else None
        return None
