"""The cache as the embedder uses it: many keys at a time, and never in the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import structlog
from numpy.typing import NDArray

from embedder_svc.unit_length import are_unit
from embedder_svc.vector_cache import records
from embedder_svc.vector_cache.appender import Appender
from embedder_svc.vector_cache.catalog import Catalog, Places
from embedder_svc.vector_cache.key_index import NOWHERE, ROW_BITS
from embedder_svc.vector_cache.records import Words
from embedder_svc.vector_cache.segments import Segment

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class CachedVectors:
    """What the cache knows of some keys.

    Parameters
    ----------
    found : ndarray of shape (n_keys,), bool
    vectors : ndarray of shape (n_found, n_dimensions), float32
        Of the found keys, in their order; each of unit length.
    truncated : ndarray of shape (n_found,), bool
        Whether the model has not read the whole text.
    chunked : ndarray of shape (n_found,), bool
        Whether the vector is the mean of several pieces of the text.
    """

    found: NDArray[np.bool_]
    vectors: NDArray[np.float32]
    truncated: NDArray[np.bool_]
    chunked: NDArray[np.bool_]


@dataclass(frozen=True)
class CacheStats:
    """How the cache is used.

    Parameters
    ----------
    lookups, hits : int
        Keys that this process has asked for, and those of them that were found.
    entries, bytes : int
        What all processes and models keep in the folder.
    """

    lookups: int
    hits: int
    entries: int
    bytes: int


class VectorCache:
    """Vectors on disk by key, shared by all processes that use the folder; safe with threads.

    The disk's trouble is never the caller's: what cannot be read counts as not found, what cannot
    be written is dropped, and each kind of trouble is logged once. When the limit is reached, what
    was not used for longest is evicted, about a thirtieth of the cache at a time.

    Parameters
    ----------
    folder : Path
        Made, for its owner alone, if it is not there. May be deleted at any time. To be on a disk
        of this machine.
    dimension_count : int
        Of this model's vectors.
    byte_limit : int
        Most bytes of all files of the cache, of whichever model; exceeded by at most 1 MiB for each
        process that writes at the same moment. 0 or less switches the cache off.

    Attributes
    ----------
    reason : str or None
        Why the cache is off: then nothing is ever found or kept. None where it is on.
    """

    def __init__(self, folder: Path, dimension_count: int, byte_limit: int) -> None:
        self._folder = folder
        self._dimension_count = dimension_count
        self._lock = threading.Lock()
        self._catalog = Catalog(folder, dimension_count)
        self._appender = Appender(folder, dimension_count, byte_limit)
        self._lookups = self._hits = 0
        self._logged: set[tuple[str, int | None]] = set()
        self.reason = self._open() if byte_limit > 0 else "its size limit is 0"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let another process append where this one did; the cache can still be used."""
        with self._lock:
            self._appender.close()

    @property
    def stats(self) -> CacheStats:
        """The counts up to now."""
        listed: list[Segment] = []
        if self.reason is None:
            with self._lock, self._log_trouble("read"):
                # Also gives back the disk space of what others have evicted.
                listed = self._catalog.refresh()
        entry_count = sum(segment.row_count for segment in listed)
        byte_count = sum(segment.byte_count for segment in listed)
        with self._lock:
            return CacheStats(self._lookups, self._hits, entry_count, byte_count)

    def get_many(self, keys: Sequence[bytes]) -> CachedVectors:
        """Return what is known of keys, which are digests of 16 bytes; one may come again.

        Raises
        ------
        ValueError
            A key has not 16 bytes.
        """
        words = records.keys_as_words(keys)
        rows, read = self._read(self._find(words))
        whole = np.flatnonzero(records.are_whole(read, words[rows], self._dimension_count))
        with self._lock:
            self._lookups += len(words)
            self._hits += len(whole)
        found = np.zeros(len(words), dtype=bool)
        found[rows[whole]] = True
        in_order = whole[np.argsort(rows[whole], kind="stable")]
        vectors = records.vectors_of(read, self._dimension_count)[in_order]
        truncated, chunked = records.flags_of(read)
        return CachedVectors(found, vectors, truncated[in_order], chunked[in_order])

    def put_many(
        self,
        keys: Sequence[bytes],
        vectors: NDArray[np.float32],
        truncated: NDArray[np.bool_],
        chunked: NDArray[np.bool_],
    ) -> None:
        """Keep vectors under their keys, in the place of what was there.

        Parameters
        ----------
        keys
            Digests of 16 bytes.
        vectors : ndarray of shape (n_keys, n_dimensions), float32
            One that is not finite and of unit length is not kept.
        truncated, chunked : ndarray of shape (n_keys,), bool
            As in `CachedVectors`.

        Raises
        ------
        ValueError
            A key has not 16 bytes, or the shapes do not fit.
        """
        words = records.keys_as_words(keys)
        if vectors.shape != (len(words), self._dimension_count):
            raise ValueError(f"{len(words)} keys for vectors of shape {vectors.shape}")
        kept = are_unit(vectors)
        if self.reason is not None or not kept.any():
            return
        packed = records.pack(words[kept], vectors[kept], truncated[kept], chunked[kept])
        with self._lock, self._log_trouble("write"):
            self._appender.append(words[kept], packed)

    def _open(self) -> str | None:
        """Return why the folder cannot be used, None if it can."""
        with self._log_trouble("write"):
            # The limit may have been larger the last time.
            self._appender.make_room(0)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._catalog.refresh()
        except OSError as error:
            reason = f"its folder cannot be used: {error.strerror}"
            _log.warning("vector_cache_off", folder=str(self._folder), reason=reason)
            return reason
        return None

    def _find(self, keys: Words) -> Places:
        """Return the place of each key, or -1."""
        if self.reason is None:
            with self._lock, self._log_trouble("read"):
                self._catalog.refresh()
                return self._catalog.find(keys)
        return np.full(len(keys), NOWHERE, dtype=np.int64)

    def _read(self, places: Places) -> tuple[NDArray[np.int64], Words]:
        """Return the rows that have a place, by place, and the records there."""
        rows = np.flatnonzero(places != NOWHERE)
        rows = rows[np.argsort(places[rows], kind="stable")]
        places = places[rows]
        read = np.empty((len(rows), records.word_count(self._dimension_count)), dtype=np.uint64)
        starts = np.flatnonzero(np.diff(places >> ROW_BITS, prepend=NOWHERE)).tolist()
        for start, stop in zip(starts, [*starts[1:], len(rows)], strict=False):
            self._read_segment(places[start:stop], read[start:stop])
        return rows, read

    def _read_segment(self, places: Places, out: Words) -> None:
        """Copy the records at places in one segment; zeros, which are no record, if it is gone."""
        with self._lock:
            reader = self._catalog.reader_at(int(places[0]))
        with self._log_trouble("read"), suppress(FileNotFoundError):
            reader.read(places & (2**ROW_BITS - 1), out)
            return
        out[:] = 0

    @contextmanager
    def _log_trouble(self, doing: str) -> Iterator[None]:
        """Go on after an error of the disk; the first of each kind is logged."""
        try:
            yield
        except OSError as error:
            if (doing, error.errno) not in self._logged:
                self._logged.add((doing, error.errno))
                _log.warning(
                    "vector_cache_trouble",
                    doing=doing,
                    folder=str(self._folder),
                    problem=error.strerror,
                )
