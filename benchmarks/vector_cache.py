"""The embedder's cache of vectors beside SQLite, and LMDB where `pip install lmdb` has put it.

The stores hold the same random unit vectors under random keys of 16 bytes, each in one file system
folder, everything in the system's file cache. They take turns, in this process; what counts is the
processor time of a row. Rows that are read are drawn from the rows of one dataset, which were
written one after the other, or from all that there are. Each answer is compared with what was
written. The stores other than Level's neither evict nor check what they read.
"""

import importlib
import importlib.metadata
import importlib.util
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Figure, Report, make_parser, median_figure
from benchmarks.running import temporary_folder
from embedder_svc.vector_cache import VectorCache

Vectors = NDArray[np.float32]

GOAL_READ_US = 3.0
GOAL_WRITE_US = 20.0
DATASET_ROWS = 20_000
BYTE_LIMIT = 2**31
# SQLite allows so many parameters in a statement by default.
SQLITE_KEYS = 999


class Store(Protocol):
    """Vectors on disk by key."""

    def put(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Keep vectors."""

    def get(self, keys: Sequence[bytes]) -> Vectors:
        """Return the vectors of keys, all of which are there."""


class LevelStore:
    """The embedder's own."""

    def __init__(self, folder: Path, dimension_count: int) -> None:
        self.cache = VectorCache(folder, dimension_count, BYTE_LIMIT)

    def put(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Keep vectors."""
        no = np.zeros(len(keys), bool)
        self.cache.put_many(keys, vectors, no, no)

    def get(self, keys: Sequence[bytes]) -> Vectors:
        """Return the vectors of keys."""
        return self.cache.get_many(keys).vectors


class SqliteStore:
    """A table with a primary key, as fast as SQLite is without syncing."""

    def __init__(self, folder: Path, dimension_count: int) -> None:
        self._dimension_count = dimension_count
        self._database = sqlite3.connect(folder / "vectors.sqlite", isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = OFF", f"mmap_size = {2**32}"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute("CREATE TABLE vectors (key BLOB PRIMARY KEY, vector BLOB)")

    def put(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Keep vectors, in one transaction."""
        rows = [(key, vector.data) for key, vector in zip(keys, vectors, strict=True)]
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
        self._database.execute("COMMIT")

    def get(self, keys: Sequence[bytes]) -> Vectors:
        """Return the vectors of keys, asked for as many at once as there may be."""
        found: dict[bytes, bytes] = {}
        for start in range(0, len(keys), SQLITE_KEYS):
            some = keys[start : start + SQLITE_KEYS]
            marks = ",".join("?" * len(some))
            query = f"SELECT key, vector FROM vectors WHERE key IN ({marks})"
            found.update(self._database.execute(query, some))
        content = b"".join([found[key] for key in keys])
        return np.frombuffer(content, np.float32).reshape(-1, self._dimension_count)


class LmdbStore:
    """One unnamed database of a memory map, without syncing."""

    def __init__(self, folder: Path, dimension_count: int) -> None:
        self._dimension_count = dimension_count
        lmdb: Any = importlib.import_module("lmdb")
        self._environment = lmdb.open(str(folder), map_size=2**36, sync=False, metasync=False)

    def put(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Keep vectors, in one transaction."""
        with self._environment.begin(write=True) as transaction:
            rows = [(key, vector.tobytes()) for key, vector in zip(keys, vectors, strict=True)]
            transaction.cursor().putmulti(rows)

    def get(self, keys: Sequence[bytes]) -> Vectors:
        """Return the vectors of keys, by one call."""
        with self._environment.begin(buffers=True) as transaction:
            found = transaction.cursor().getmulti(keys)
            content = b"".join([value for _, value in found])
        return np.frombuffer(content, np.float32).reshape(-1, self._dimension_count)


def main() -> None:
    """Run the benchmark."""
    parser = make_parser(__doc__)
    add = parser.add_argument
    add("--rows", type=int, default=200_000, metavar="N", help="cached (default: %(default)s)")
    add("--dimensions", type=int, default=384, metavar="N", help="default: %(default)s")
    add("--call", type=int, default=4096, metavar="N", help="rows a call (default: %(default)s)")
    add("--repeats", type=int, default=9, metavar="N", help="calls (default: %(default)s)")
    add("--alone", action="store_true", help="leave the other stores out")
    options = parser.parse_args()
    report = Report("vector_cache", vars(options))
    with temporary_folder() as folder:
        stores = dict(_stores(folder, options.dimensions, options.alone))
        keys, vectors = _rows(options.rows, options.dimensions)
        _measure_writing(report, stores, keys, vectors, options.call)
        for name in stores:
            size = sum(path.stat().st_size for path in (folder / name).iterdir())
            report.add(Figure(f"{name}, on disk", size / options.rows, "bytes/row"))
        for span in sorted({min(DATASET_ROWS, options.rows), options.rows}):
            _measure_reading(report, stores, (keys, vectors), span, options)
    report.finish(options.json)


def _stores(folder: Path, dimension_count: int, is_alone: bool) -> Iterator[tuple[str, Store]]:
    kinds: dict[str, type[LevelStore] | type[SqliteStore] | type[LmdbStore]] = {"Level": LevelStore}
    if not is_alone:
        kinds[f"SQLite {sqlite3.sqlite_version}"] = SqliteStore
        if importlib.util.find_spec("lmdb"):
            kinds[f"py-lmdb {importlib.metadata.version('lmdb')}"] = LmdbStore
    for name, kind in kinds.items():
        (folder / name).mkdir()
        yield name, kind(folder / name, dimension_count)


def _rows(count: int, dimension_count: int) -> tuple[list[bytes], Vectors]:
    """Return keys and vectors, the same ones in each run."""
    rng = np.random.default_rng(0)
    digests = rng.bytes(16 * count)
    keys = [digests[start : start + 16] for start in range(0, 16 * count, 16)]
    vectors = rng.standard_normal((count, dimension_count), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return keys, vectors


def _measure_writing(
    report: Report, stores: dict[str, Store], keys: list[bytes], vectors: Vectors, call: int
) -> None:
    taken: dict[str, list[float]] = {name: [] for name in stores}
    for start in range(0, len(keys), call):
        part = slice(start, start + call)
        for name, store in stores.items():
            began = time.process_time()
            store.put(keys[part], vectors[part])
            taken[name].append((time.process_time() - began) / len(keys[part]) * 1e6)
    for name, samples in taken.items():
        goal = GOAL_WRITE_US if name == "Level" else None
        report.add(median_figure(f"{name}, write", samples, "us/row", goal))


def _measure_reading(
    report: Report,
    stores: dict[str, Store],
    rows: tuple[list[bytes], Vectors],
    span: int,
    options: Any,
) -> None:
    keys, vectors = rows
    rng = np.random.default_rng(1)
    taken: dict[str, list[float]] = {name: [] for name in stores}
    for repeat in range(options.repeats + 1):
        chosen = rng.choice(span, min(options.call, span), replace=False)
        asked = [keys[row] for row in chosen.tolist()]
        for name, store in stores.items():
            began = time.process_time()
            found = store.get(asked)
            seconds = time.process_time() - began
            assert np.array_equal(found, vectors[chosen]), name
            if repeat:  # the first call opens files
                taken[name].append(seconds / len(asked) * 1e6)
    for name, samples in taken.items():
        goal = GOAL_READ_US if name == "Level" else None
        report.add(median_figure(f"{name}, read from {span:,} rows", samples, "us/row", goal))
    print(f"  load average {os.getloadavg()[0]:.1f}\n")


if __name__ == "__main__":
    main()
