"""Heavy work on a thread of its own, heard of on the event loop, broken off with its caller."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from level_rpc.errors import Aborted

Event = TypeVar("Event")
Result = TypeVar("Result")
Send = Callable[[Event], None]


class BrokenOff(Exception):
    """Nobody waits for this work any more; never leaves its thread."""


class WorkThreads:
    """Threads that do one piece of work after the other.

    Parameters
    ----------
    name : str
        What the threads are called.
    count : int
        How many pieces of work may run at once.
    """

    def __init__(self, name: str, count: int = 1) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._is_closed = threading.Event()

    async def run(
        self, work: Callable[[Send[Event]], Result], hear: Callable[[Event], None]
    ) -> Result:
        """Return what `work` returns; it is given a function whose arguments `hear` gets.

        `hear` is called on the event loop, in order, and before this returns. Once the caller was
        cancelled, the work ends the next time it sends something.

        Raises
        ------
        Aborted
            The threads were closed meanwhile.
        """
        loop = asyncio.get_running_loop()
        is_over = threading.Event()

        def send(event: Event) -> None:
            if is_over.is_set() or self._is_closed.is_set():
                raise BrokenOff
            loop.call_soon_threadsafe(hear, event)

        try:
            return await loop.run_in_executor(self._pool, work, send)
        except BrokenOff:
            raise Aborted("the stages were closed while this was under way") from None
        finally:
            is_over.set()

    async def close(self) -> None:
        """End the threads; work under way is broken off."""
        self._is_closed.set()
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
