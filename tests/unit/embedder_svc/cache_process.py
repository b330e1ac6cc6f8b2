"""What other processes do to a vector cache: ``python -m ...cache_process ACTION FOLDER ...``."""

import hashlib
import os
import resource
import sys
from pathlib import Path

import numpy as np

from embedder_svc.vector_cache import CachedVectors, VectorCache

DIMENSIONS = 24
LIMIT = 2**20


def disk_bytes(folder) -> int:
    """Return the size of all files of a cache."""
    return sum(path.stat().st_size for path in folder.iterdir())


def key_of(number: int) -> bytes:
    return hashlib.blake2b(number.to_bytes(8, "little"), digest_size=16).digest()


def vectors_of(numbers, dimensions: int = DIMENSIONS) -> np.ndarray:
    """The vector of each number, and of no other."""
    columns = np.arange(1, dimensions + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    words = (np.asarray(numbers, np.uint64)[:, None] + np.uint64(1)) * columns
    rows = (words >> np.uint64(40)).astype(np.float64) + 1
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def put(cache: VectorCache, numbers, dimensions: int = DIMENSIONS) -> None:
    numbers = np.asarray(numbers)
    vectors = vectors_of(numbers.tolist(), dimensions)
    keys = [key_of(number) for number in numbers.tolist()]
    cache.put_many(keys, vectors, numbers % 2 == 0, numbers % 3 == 0)


def get(cache: VectorCache, numbers, dimensions: int = DIMENSIONS) -> list[int]:
    """Return the numbers that were found, after a look at all that comes with them."""
    numbers = np.asarray(numbers)
    cached: CachedVectors = cache.get_many([key_of(number) for number in numbers.tolist()])
    found = numbers[cached.found]
    assert cached.vectors.dtype == np.float32
    assert cached.vectors.shape == (len(found), dimensions)
    if len(found):
        assert np.array_equal(cached.vectors, vectors_of(found.tolist(), dimensions))
    assert np.array_equal(cached.truncated, found % 2 == 0)
    assert np.array_equal(cached.chunked, found % 3 == 0)
    return found.tolist()


def work(folder: Path, seed: int, rounds: int) -> None:
    """Read and write what the other processes read and write."""
    rng = np.random.default_rng(seed)
    hits = 0
    with VectorCache(folder, DIMENSIONS, LIMIT) as cache:
        for _ in range(rounds):
            numbers = rng.integers(0, 4000, 200)
            found = set(get(cache, numbers))
            hits += len(found)
            put(cache, [number for number in set(numbers.tolist()) - found] or [0])
    print(hits)


def write_without_end(folder: Path, seed: int, _: int) -> None:
    """Write until killed."""
    cache = VectorCache(folder, DIMENSIONS, LIMIT)
    number = seed
    while True:
        put(cache, range(number, number + 20))
        number += 20
        print(number, flush=True)


def write_to_a_full_disk(folder: Path, _: int, file_bytes: int) -> None:
    """Write where no file may grow beyond a size, as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    cache = VectorCache(folder, DIMENSIONS, 2**26)
    for start in range(0, 1000, 100):
        put(cache, range(start, start + 100))
        get(cache, range(1000))
    print(len(get(cache, range(1000))))


def read_what_is_cut_short(folder: Path, seed: int, count: int) -> None:
    """Cut the files to every length, before they are opened and while they are read."""
    keys, records = (next(folder.glob(f"*.{kind}")) for kind in ("keys", "records"))
    contents = {path: path.read_bytes() for path in (keys, records)}
    rng = np.random.default_rng(seed)
    for path, content in contents.items():
        for size in {0, 1, len(content) - 1, *rng.integers(0, len(content), 40).tolist()}:
            path.write_bytes(content)
            opened = VectorCache(folder, DIMENSIONS, LIMIT)
            get(opened, range(count))
            os.truncate(path, size)
            for cache in (opened, VectorCache(folder, DIMENSIONS, LIMIT)):
                get(cache, range(count))
        path.write_bytes(content)
    print(len(get(VectorCache(folder, DIMENSIONS, LIMIT), range(count))))


if __name__ == "__main__":
    action, folder, seed, count = sys.argv[1:]
    globals()[action](Path(folder), int(seed), int(count))
