"""An event loop of its own, for callers that have none, or one that must not wait."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

Result = TypeVar("Result")
Opened = TypeVar("Opened")


class LoopThread(Generic[Opened]):
    """Runs coroutines in a thread with an event loop, one after the other; a context manager.

    It does not matter whether the caller's thread runs an event loop itself, as a notebook's does.

    Parameters
    ----------
    open_context : callable
        Returns what the coroutines work with: opened on the loop on entering, closed on leaving.
    """

    def __init__(self, open_context: Callable[[], AbstractAsyncContextManager[Opened]]) -> None:
        self._context = open_context()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="level", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._opened = self._wait(self._context.__aenter__())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._wait(self._context.__aexit__(kind, error, traceback))
        finally:
            self._stop()

    def run(self, work: Callable[[Opened], Coroutine[Any, Any, Result]]) -> Result:
        """Return what the coroutine of `work` returns; one that nobody waits for is cancelled."""
        return self._wait(work(self._opened))

    def _wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _stop(self) -> None:
        """End the loop and its threads."""
        try:
            self._wait(self._loop.shutdown_default_executor())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
