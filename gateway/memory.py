"""The terrains that are kept ready, the least recently used leaving first."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from gateway.duplicate_counts import CountUnit, GroupCounts
from gateway.layers import Layers
from gateway.terrain_view import Terrain


@dataclass(eq=False)
class LoadedTerrain:
    """What of one layer, counted in one unit, is kept ready.

    Parameters
    ----------
    terrain : Terrain
    heights : ndarray of shape (grid_size, grid_size), float32, optional
        The ground at weight 1, a read-only map where it is stored; None until it is built.
    rendered : tuple of str and bytes, optional
        The last version that was asked for, and the terrain at it as JSON.
    rendering : asyncio.Lock
        Held while a revision is rendered, so that many who ask at once wait for one.
    """

    terrain: Terrain
    heights: NDArray[np.float32] | None
    rendered: tuple[str, bytes] | None = None
    rendering: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(eq=False)
class LoadedDataset:
    """What of a completed dataset is kept ready.

    Parameters
    ----------
    layers : Layers
    group_counts : GroupCounts, optional
        None where near-duplicates were not looked for.
    terrains : dict of tuple of int and CountUnit to LoadedTerrain
        By layer index and unit, those that were asked for.
    """

    layers: Layers
    group_counts: GroupCounts | None = None
    terrains: dict[tuple[int, CountUnit], LoadedTerrain] = field(default_factory=dict)


class DatasetMemory:
    """At most so many loaded datasets. Leaving it deletes nothing. Safe to use from any thread.

    Parameters
    ----------
    limit : int
        The most datasets; 0 is no limit.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._loaded: OrderedDict[str, LoadedDataset] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        """Return how many datasets are loaded."""
        return len(self._loaded)

    def find(self, dataset_id: str) -> LoadedDataset | None:
        """Return a dataset if it is in memory."""
        with self._lock:
            if dataset_id in self._loaded:
                self._loaded.move_to_end(dataset_id)
            return self._loaded.get(dataset_id)

    def get(self, dataset_id: str, load: Callable[[], LoadedDataset]) -> LoadedDataset:
        """Return a dataset, loaded by `load` when it is not in memory."""
        found = self.find(dataset_id)
        if found is not None:
            return found
        # Two threads may load the same dataset once each, which harms less than one waiting lock.
        loaded = load()
        with self._lock:
            self._loaded[dataset_id] = loaded
            self._loaded.move_to_end(dataset_id)
            while self._limit and len(self._loaded) > self._limit:
                self._loaded.popitem(last=False)
        return loaded

    def forget(self, dataset_id: str) -> None:
        """Let go of a dataset, if it is loaded."""
        with self._lock:
            self._loaded.pop(dataset_id, None)

    def keep_only(self, dataset_ids: Collection[str]) -> None:
        """Let go of every dataset that is not among `dataset_ids`."""
        with self._lock:
            for dataset_id in [one for one in self._loaded if one not in dataset_ids]:
                del self._loaded[dataset_id]
