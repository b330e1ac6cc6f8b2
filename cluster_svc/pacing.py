"""Streams that are never silent for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


async def paced(source: AsyncGenerator[T, None], seconds: float) -> AsyncGenerator[T | None, None]:
    """Yield the items of ``source``, and None whenever none has come for ``seconds``.

    Closing it, or cancelling whoever iterates, closes the source too.
    """
    async with aclosing(source):
        step = asyncio.create_task(_next(source))
        try:
            while True:
                done, _ = await asyncio.wait({step}, timeout=seconds)
                if not done:
                    yield None
                    continue
                try:
                    item = step.result()
                except StopAsyncIteration:
                    return
                yield item
                step = asyncio.create_task(_next(source))
        finally:
            step.cancel()
            await asyncio.gather(step, return_exceptions=True)


async def _next(source: AsyncGenerator[T, None]) -> T:
    return await anext(source)
