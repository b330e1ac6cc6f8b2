"""Heavy work, one job at a time, in a compute process that can be killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from cluster_svc.compute import ComputeProcess
from cluster_svc.compute_options import ComputeOptions
from cluster_svc.jobs import End, Event, Failed, Job
from cluster_svc.progress import Progress, Stage
from level_rpc.errors import QueueFull

_RETRY_SECONDS = 5.0


class ComputeEngine:
    """Runs jobs one after the other in a compute process kept warm.

    Breaking off a job kills the process and starts another; a crash fails the job it happened in.

    Parameters
    ----------
    options : ComputeOptions
        How the compute process works.
    queue_limit : int
        Calls that may wait while one computes, 0 or more.
    """

    def __init__(self, options: ComputeOptions, *, queue_limit: int) -> None:
        self._options = options
        self._queue_limit = queue_limit
        self._admitted = 0
        self._turn = asyncio.Lock()
        self._is_closed = False
        self._process = ComputeProcess(options)

    @property
    def process_id(self) -> int:
        """The process id of the compute process."""
        return self._process.pid

    @property
    def admitted_count(self) -> int:
        """Calls that compute or wait."""
        return self._admitted

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place in the queue, from before the first byte of data is read.

        Raises
        ------
        QueueFull
            As many calls are waiting as may.
        """
        waiting = self._admitted - 1
        if waiting >= self._queue_limit:
            raise QueueFull(
                f"one call is computing and {waiting} are waiting; try again later",
                retry_after=_RETRY_SECONDS,
                waiting=waiting,
            )
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1

    async def run(self, job: Job) -> AsyncGenerator[Event, None]:
        """Yield the events of a job, its end last; closing the generator breaks the job off.

        Raises
        ------
        ComputeCrashed
            The compute process ended in the middle of the job.
        LevelError
            The job itself failed with it.
        """
        # The process is read by a task of its own, so that a slow client does not hold it up.
        events: asyncio.Queue[Event] = asyncio.Queue()
        task = asyncio.create_task(self._compute(job, events))
        task.add_done_callback(lambda _: events.put_nowait(_END))
        try:
            while (event := await events.get()) is not _END:
                yield event
            await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        """End the compute process; jobs under way fail."""
        self._is_closed = True
        self._process.end()

    async def _compute(self, job: Job, events: asyncio.Queue[Event]) -> None:
        async with self._turn:
            if not self._process.is_alive:
                self._restart()
            is_done = False
            try:
                await self._process.submit(job)
                while not is_done:
                    event = await self._process.receive()
                    is_done = isinstance(event, End)
                    _pass_on(event, events)
            finally:
                if not is_done:
                    self._restart()

    def _restart(self) -> None:
        self._process.end()
        if not self._is_closed:
            self._process = ComputeProcess(self._options)


_END = Progress(Stage.QUEUED, 1.0, 1.0)


def _pass_on(event: Event, events: asyncio.Queue[Event]) -> None:
    """Queue an event; raise the error of a failed job."""
    if not isinstance(event, Failed):
        events.put_nowait(event)
    elif event.error is not None:
        raise event.error
    else:
        raise RuntimeError(f"in the compute process: {event.details}")
