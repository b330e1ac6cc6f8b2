"""Where the record of a key is: sorted arrays in memory, 16 bytes for each record."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedder_svc.vector_cache.records import Words

ROW_BITS = 32
NOWHERE = -1

# A run at least so many times as long as the one after it is left alone; so there are few runs, and
# a record is moved only a few times.
_RUN_RATIO = 4
_FACTOR = np.uint64(0xC2B2AE3D27D4EB4F)


@dataclass(frozen=True)
class _Run:
    """Hashes that rise, and the place of each."""

    hashes: Words
    places: NDArray[np.int64]


class KeyIndex:
    """The places of keys; of a key that was added again, the last.

    A place is a file's number and a row in it: ``number << 32 | row``. Two keys of one 64-bit hash
    share a place, which the reader notices by the key within the record.
    """

    def __init__(self) -> None:
        self._runs: list[_Run] = []

    def __len__(self) -> int:
        """Return how many places are known, a few of them of keys that were added again."""
        return sum(len(run.hashes) for run in self._runs)

    def add(self, keys: Words, places: NDArray[np.int64]) -> None:
        """Remember the places of keys of shape (n_keys, 2)."""
        if not len(keys):
            return
        self._runs.append(_sorted_run(_hash(keys), places))
        while len(self._runs) > 1:
            older, newer = self._runs[-2:]
            if len(older.hashes) >= _RUN_RATIO * len(newer.hashes):
                return
            hashes = np.concatenate([older.hashes, newer.hashes])
            self._runs[-2:] = [_sorted_run(hashes, np.concatenate([older.places, newer.places]))]

    def find(self, keys: Words) -> NDArray[np.int64]:
        """Return the place of each key, or -1."""
        hashes = _hash(keys)
        places = np.full(len(hashes), NOWHERE, dtype=np.int64)
        # In their order, neighbours in the search are neighbours in memory: twice as fast.
        sought = np.argsort(hashes)
        for run in reversed(self._runs):
            at = np.searchsorted(run.hashes, hashes[sought]).clip(max=len(run.hashes) - 1)
            is_there = run.hashes[at] == hashes[sought]
            places[sought[is_there]] = run.places[at[is_there]]
            sought = sought[~is_there]
        return places

    def forget(self, numbers: list[int]) -> None:
        """Drop every place in the files of these numbers."""
        kept = [_without(run, numbers) for run in self._runs]
        self._runs = [run for run in kept if len(run.hashes)]


def _hash(keys: Words) -> Words:
    return keys[:, 0] + keys[:, 1] * _FACTOR


def _sorted_run(hashes: Words, places: NDArray[np.int64]) -> _Run:
    """Return the run of them, of equal hashes the last."""
    order = np.argsort(hashes, kind="stable")
    hashes = hashes[order]
    is_last = np.append(hashes[1:] != hashes[:-1], True)
    return _Run(hashes[is_last], places[order[is_last]])


def _without(run: _Run, numbers: list[int]) -> _Run:
    kept = ~np.isin(run.places >> ROW_BITS, numbers)
    return run if kept.all() else _Run(run.hashes[kept], run.places[kept])
