"""The two ends of a process: slow loading at its start, signals at its end."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def in_daemon_thread(function: Callable[[], T]) -> T:
    """Return what ``function`` returns, run in a thread that does not keep the process alive.

    asyncio's own threads are waited for at exit, so that a stop would wait for a model to load.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        outcome: tuple[T | None, BaseException | None]
        try:
            outcome = function(), None
        except BaseException as error:
            outcome = None, error
        # The loop is closed when the process stops before loading has ended.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=run, name="load", daemon=True).start()
    return await future


def stop_signal(*, before_exit: Callable[[], None]) -> asyncio.Event:
    """Return an event that the first SIGTERM or SIGINT sets.

    The second calls ``before_exit`` and ends the process at once, with 128 + the signal's number.
    """
    stopping = asyncio.Event()

    def on_signal(number: int) -> None:
        if stopping.is_set():
            before_exit()
            os._exit(128 + number)
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    return stopping
