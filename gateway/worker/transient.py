"""Which errors pass by themselves, and how they are waited out."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic
from typing import ParamSpec, TypeVar

import structlog

from level_rpc.errors import (
    Aborted,
    DataLoss,
    DeadlineExceeded,
    LevelError,
    ResourceExhausted,
    Unavailable,
)

log = structlog.get_logger(__name__)
P = ParamSpec("P")
T = TypeVar("T")
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
PATIENCE_SECONDS = 180.0
LOADING_SECONDS = 900.0


def is_transient(error: LevelError) -> bool:
    """Return whether the same call may succeed later: a restart, a full queue, a cut line."""
    if isinstance(error, ResourceExhausted):
        return error.reason == "QUEUE_FULL"
    return isinstance(error, Unavailable | Aborted | DataLoss | DeadlineExceeded)


async def with_retries(
    call: Callable[[], Awaitable[T]], seconds: float = PATIENCE_SECONDS, crashes: int = 2
) -> T:
    """Return what `call` returns, calling again after transient errors for at most `seconds`.

    Pauses double from 0.2 to 5 seconds, with jitter so that callers do not come back together.
    A service that is loading is waited for longer: the first start may fetch a model. A computing
    process that crashes `crashes` times would crash again; it is not tried further.

    Raises
    ------
    LevelError
        The last error, when it does not pass.
    """
    start = monotonic()
    pause = FIRST_PAUSE_SECONDS
    crashed = 0
    while True:
        try:
            return await call()
        except LevelError as error:
            crashed += isinstance(error, Aborted)
            patience = seconds
            if error.reason == "SERVICE_LOADING":
                patience = max(seconds, LOADING_SECONDS)
            out_of_time = monotonic() - start > patience
            if not is_transient(error) or out_of_time or crashed >= crashes:
                raise
            wait = error.retry_after or pause * random.uniform(0.8, 1.2)
            log.info("call_repeated", reason=error.reason, wait_seconds=round(wait, 2))
        await asyncio.sleep(min(wait, LONGEST_PAUSE_SECONDS))
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


async def in_store(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a blocking call on the store returns.

    While the database or the disk takes nothing, waits for as long as that lasts: no fault of a
    store may fail a dataset, and nobody could be told.
    """
    return await with_retries(partial(asyncio.to_thread, call, *args, **kwargs), math.inf)
