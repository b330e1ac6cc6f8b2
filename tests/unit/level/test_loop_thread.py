"""Coroutines that are run from anywhere."""

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest

from level.loop_thread import LoopThread


class Box:
    """Notes what happens to it."""

    def __init__(self):
        self.events = []

    @asynccontextmanager
    async def open(self):
        self.events.append("opened")
        try:
            yield self
        finally:
            self.events.append("closed")

    async def add(self, number):
        await asyncio.to_thread(lambda: None)
        self.events.append(number)
        return number


def level_threads():
    return [thread for thread in threading.enumerate() if thread.name == "level"]


def test_work_is_done_between_opening_and_closing():
    box = Box()
    with LoopThread(box.open) as loop:
        assert loop.run(lambda opened: opened.add(3)) == 3
    assert box.events == ["opened", 3, "closed"]
    assert level_threads() == []


async def test_it_runs_beside_a_loop_that_is_running_already():
    box = Box()
    with LoopThread(box.open) as loop:
        assert loop.run(lambda opened: opened.add(3)) == 3


def test_a_failure_closes_and_comes_through():
    async def fail(_):
        raise ValueError("why")

    box = Box()
    with pytest.raises(ValueError, match="why"), LoopThread(box.open) as loop:
        loop.run(fail)
    assert box.events == ["opened", "closed"]
    assert level_threads() == []


def test_a_failure_to_open_leaves_no_thread():
    @asynccontextmanager
    async def broken():
        raise ValueError("shut")
        yield

    with pytest.raises(ValueError, match="shut"), LoopThread(broken):
        pass
    assert level_threads() == []
