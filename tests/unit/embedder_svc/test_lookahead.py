import asyncio
from contextlib import aclosing

import pytest

from embedder_svc.lookahead import ahead


class Source:
    """Counts how many items were asked of it, and whether it was closed."""

    def __init__(self, count, error=None):
        self.asked = 0
        self.closed = False
        self._count = count
        self._error = error

    async def items(self):
        try:
            for number in range(self._count):
                self.asked += 1
                await asyncio.sleep(0)
                yield number
            if self._error:
                raise self._error
        finally:
            self.closed = True


async def settle():
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.mark.parametrize("count", [1, 2, 5])
async def test_items_come_in_order_and_so_many_are_taken_ahead(count):
    source = Source(20)
    received = []
    async with aclosing(ahead(source.items(), count)) as items:
        async for item in items:
            received.append(item)
            await settle()
            assert source.asked == min(20, item + 1 + count)
    assert received == list(range(20))
    assert source.closed


async def test_an_error_comes_after_the_items_before_it():
    source = Source(2, ValueError("broken"))
    received = []
    with pytest.raises(ValueError, match="broken"):
        async with aclosing(ahead(source.items(), 3)) as items:
            async for item in items:
                received.append(item)
    assert received == [0, 1]
    assert source.closed


async def test_leaving_early_closes_the_source_and_its_task():
    source = Source(20)
    async with aclosing(ahead(source.items(), 2)) as items:
        assert await anext(items) == 0
    assert source.closed
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_cancelling_who_waits_ends_the_source_too():
    waiting = asyncio.Event()
    closed = asyncio.Event()

    async def endless():
        try:
            waiting.set()
            await asyncio.Event().wait()
            yield 0
        finally:
            closed.set()

    async def iterate():
        async with aclosing(ahead(endless(), 2)) as items:
            await anext(items)

    task = asyncio.create_task(iterate())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed.is_set()
