"""Jobs that run side by side and whose results are taken in the order of the jobs."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def run_in_order(
    jobs: Iterable[Callable[[], Awaitable[T]]],
    take: Callable[[T], Awaitable[None]],
    at_once: int,
    ahead: int,
) -> None:
    """Give the result of each job to `take`, one after the other in the order of the jobs.

    The first error, of a job or of `take`, ends all jobs that run and is raised.

    Parameters
    ----------
    jobs : iterable of callable
        Taken as they are started.
    take : callable
        Awaited for one result at a time.
    at_once : int
        How many jobs run at a time.
    ahead : int
        How many more results may wait for that of an earlier job, which bounds memory.
    """
    slots = asyncio.Semaphore(at_once)

    async def run(job: Callable[[], Awaitable[T]]) -> T:
        async with slots:
            return await job()

    started: deque[asyncio.Task[T]] = deque()
    try:
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                started.append(group.create_task(run(job)))
                if len(started) >= at_once + ahead:
                    await take(await started.popleft())
            while started:
                await take(await started.popleft())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
