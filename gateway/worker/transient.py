"""Which errors pass by themselves, and how they are waited out."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from level_rpc.errors import (
    Aborted,
    DataLoss,
    DeadlineExceeded,
    LevelError,
    ResourceExhausted,
    Unavailable,
)

T = TypeVar("T")
LONGEST_PAUSE_SECONDS = 5.0
PATIENCE_SECONDS = 180.0
LOADING_SECONDS = 900.0


def is_transient(error: BaseException) -> bool:
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
    pause = 0.2
    crashed = 0
    while True:
        try:
            return await call()
        except LevelError as error:
            crashed += isinstance(error, Aborted)
            patience = LOADING_SECONDS if error.reason == "SERVICE_LOADING" else seconds
            out_of_time = monotonic() - start > patience
            if not is_transient(error) or out_of_time or crashed >= crashes:
                raise
            wait = error.retry_after or pause * random.uniform(0.8, 1.2)
        await asyncio.sleep(min(wait, LONGEST_PAUSE_SECONDS))
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
