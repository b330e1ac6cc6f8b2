"""Jobs side by side, results in order, no more of either than allowed."""

import asyncio
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.worker.in_order import run_in_order


class Work:
    """Jobs that take some turns of the loop each, and what is seen of them."""

    def __init__(self, turns, failing=()):
        self.turns, self.failing = turns, failing
        self.running = self.most_running = 0
        self.ended = set()
        self.taken = []
        self.most_waiting = 0

    def jobs(self):
        return (partial(self._run, number) for number in range(len(self.turns)))

    async def _run(self, number):
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            for _ in range(self.turns[number]):
                await asyncio.sleep(0)
            if number in self.failing:
                raise ValueError(number)
        finally:
            self.running -= 1
            self.ended.add(number)
        self.most_waiting = max(self.most_waiting, len(self.ended) - len(self.taken))
        return number

    async def take(self, result):
        await asyncio.sleep(0)
        self.taken.append(result)


SIZES = st.integers(1, 4)


@settings(max_examples=60, deadline=None)
@given(turns=st.lists(st.integers(0, 9), max_size=20), at_once=SIZES, ahead=st.integers(0, 4))
def test_results_come_in_order_and_few_of_them_wait(turns, at_once, ahead):
    work = Work(turns)
    asyncio.run(run_in_order(work.jobs(), work.take, at_once, ahead))
    assert work.taken == list(range(len(turns)))
    assert work.most_running <= at_once
    assert work.most_waiting <= at_once + ahead


@settings(max_examples=60, deadline=None)
@given(data=st.data(), at_once=SIZES)
def test_the_first_error_ends_all_that_runs(data, at_once):
    turns = data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=20))
    failing = data.draw(st.sets(st.integers(0, len(turns) - 1), min_size=1))
    work = Work(turns, failing)

    async def run():
        with pytest.raises(ValueError) as caught:
            await run_in_order(work.jobs(), work.take, at_once, 2)
        assert len(asyncio.all_tasks()) == 1
        return caught.value.args[0]

    assert asyncio.run(run()) in failing
    assert work.running == 0
    assert work.taken == list(range(len(work.taken)))
    assert not failing & set(work.taken)


async def test_an_error_of_what_takes_results_ends_all_that_runs():
    work = Work([0, 5, 5, 5])

    async def refuse(_):
        raise FileNotFoundError

    with pytest.raises(FileNotFoundError):
        await run_in_order(work.jobs(), refuse, 2, 2)
    assert work.running == 0


async def test_to_cancel_it_ends_all_that_runs():
    work = Work([10**9] * 4)
    running = asyncio.create_task(run_in_order(work.jobs(), work.take, 2, 2))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert work.running == 0 and work.most_running == 2
