"""Takes the next items of a source while the last one is still worked on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Generic, TypeVar

Item = TypeVar("Item")


async def ahead(source: AsyncGenerator[Item, None], count: int) -> AsyncGenerator[Item, None]:
    """Yield the items of ``source`` in order, taken by a task of its own.

    Whoever iterates must close it (``contextlib.aclosing``); the source is closed with it.

    Parameters
    ----------
    source
        Iterated, and closed, by the task.
    count
        How many items may be taken from the source before the next is asked for, 1 or more.

    Raises
    ------
    Exception
        What the source raised, after the items that came before.
    """
    taken: asyncio.Queue[_Taken[Item]] = asyncio.Queue()
    room = asyncio.Semaphore(count)
    task = asyncio.create_task(_take_all(source, taken, room))
    try:
        while (one := await taken.get()) is not None:
            if isinstance(one, Exception):
                raise one
            room.release()
            yield one.item
    finally:
        task.cancel()
        await asyncio.wait([task])


class _Some(Generic[Item]):
    def __init__(self, item: Item) -> None:
        self.item = item


_Taken = _Some[Item] | Exception | None


async def _take_all(
    source: AsyncGenerator[Item, None], taken: asyncio.Queue[_Taken[Item]], room: asyncio.Semaphore
) -> None:
    try:
        async with aclosing(source):
            await room.acquire()
            async for item in source:
                taken.put_nowait(_Some(item))
                await room.acquire()
    except Exception as error:
        taken.put_nowait(error)
    else:
        taken.put_nowait(None)
