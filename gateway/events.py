"""Tells many listeners of a dataset's changes while one poll reads the store for all of them.

The store is the only truth, and the worker that writes it is another process: so it is polled, but
only while somebody listens, and at one rate however many listen.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

from gateway.dataset import Dataset, Status
from gateway.errors import DatasetNotFound
from level_rpc.errors import LevelError

POLL_SECONDS = 0.25


class DatasetEvents:
    """Changes of datasets, as they happen.

    Parameters
    ----------
    read : callable
        Returns a dataset as it is now; blocks.
    poll_seconds : float
        How often a dataset is read while somebody listens to it.
    """

    def __init__(self, read: Callable[[str], Dataset], poll_seconds: float = POLL_SECONDS) -> None:
        self._read = read
        self._poll_seconds = poll_seconds
        self._feeds: dict[str, _Feed] = {}

    async def follow(self, dataset_id: str) -> AsyncIterator[Dataset]:
        """Yield the dataset as it is, then after each change, until it is at rest or deleted."""
        feed = self._feeds.get(dataset_id)
        if feed is None or feed.ended:
            feed = _Feed(self._read, dataset_id, self._poll_seconds)
            self._feeds[dataset_id] = feed
        feed.listeners += 1
        try:
            async for dataset in feed.changes():
                yield dataset
        finally:
            feed.listeners -= 1
            if not feed.listeners:
                feed.stop()
                if self._feeds.get(dataset_id) is feed:
                    del self._feeds[dataset_id]


class _Feed:
    """One poll of one dataset."""

    def __init__(
        self, read: Callable[[str], Dataset], dataset_id: str, poll_seconds: float
    ) -> None:
        self._read = read
        self._dataset_id = dataset_id
        self._poll_seconds = poll_seconds
        self._changed = asyncio.Condition()
        self._latest: Dataset | None = None
        self._version = 0
        self.listeners = 0
        self.ended = False
        self._task = asyncio.create_task(self._poll())

    def stop(self) -> None:
        """Stop polling."""
        self._task.cancel()

    async def changes(self) -> AsyncIterator[Dataset]:
        """Yield the latest state and each later one; one that passes while nobody looks is lost."""
        seen = 0
        while True:
            async with self._changed:
                while self._version == seen and not self.ended:
                    await self._changed.wait()
                latest, version = self._latest, self._version
            if latest is None or version == seen:
                return
            seen = version
            yield latest

    async def _poll(self) -> None:
        try:
            while not self.ended:
                await self._look()
                await asyncio.sleep(self._poll_seconds)
        finally:
            self.ended = True

    async def _look(self) -> None:
        latest, ended = self._latest, False
        try:
            latest = await asyncio.to_thread(self._read, self._dataset_id)
            ended = latest.status != Status.PROCESSING
        except DatasetNotFound:
            ended = True
        except LevelError:
            return  # the store cannot answer now; the next poll asks again
        async with self._changed:
            self._version += latest != self._latest
            self._latest = latest
            self.ended = ended
            self._changed.notify_all()
