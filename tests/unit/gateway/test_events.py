import asyncio
from dataclasses import replace

import pytest

from gateway.dataset import Dataset, PipelineParameters, Stage, Status
from gateway.errors import DatasetNotFound, StoreUnavailable
from gateway.events import DatasetEvents

START = Dataset(
    dataset_id="d",
    request_id="upload-1",
    file_name="a.csv",
    status=Status.PROCESSING,
    stage=Stage.QUEUED,
    progress=0,
    error=None,
    created_at=0.0,
    last_used_at=0.0,
    completed_at=None,
    table={"row_count": 50},
    parameters=PipelineParameters(),
    warnings=(),
    timings={},
    counts={},
    model={},
    clustering={},
)
END = replace(START, status=Status.COMPLETED, stage=None, progress=100)


class Reader:
    """Gives one state after the other, then the last for ever; counts how often it is asked."""

    def __init__(self, *states):
        self.states = list(states)
        self.read_count = 0

    def __call__(self, dataset_id):
        self.read_count += 1
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, Exception):
            raise state
        return state


async def follow(events):
    return [dataset.progress async for dataset in events.follow("d")]


async def test_each_change_comes_once_and_the_end_is_the_last():
    half = replace(START, progress=50)
    reader = Reader(START, START, half, half, half, END)
    assert await follow(DatasetEvents(reader, poll_seconds=0.005)) == [0, 50, 100]


async def test_a_deleted_dataset_ends_the_events():
    reader = Reader(START, DatasetNotFound())
    assert await follow(DatasetEvents(reader, poll_seconds=0.005)) == [0]


async def test_a_store_that_cannot_answer_is_asked_again():
    reader = Reader(START, StoreUnavailable("locked"), StoreUnavailable("locked"), END)
    assert await follow(DatasetEvents(reader, poll_seconds=0.005)) == [0, 100]


async def test_all_listeners_share_the_reads():
    reader = Reader(*[START] * 5, END)
    events = DatasetEvents(reader, poll_seconds=0.01)
    seen = await asyncio.gather(*(follow(events) for _ in range(20)))
    assert all(progress[-1] == 100 for progress in seen)
    assert reader.read_count == 6


async def test_nothing_is_read_when_nobody_listens_any_more():
    reader = Reader(START)
    events = DatasetEvents(reader, poll_seconds=0.005)
    listening = events.follow("d")
    assert (await anext(listening)).progress == 0
    await listening.aclose()
    await asyncio.sleep(0.02)
    count = reader.read_count
    await asyncio.sleep(0.05)
    assert reader.read_count == count


async def test_a_listener_that_is_cancelled_leaves_the_others():
    reader = Reader(*[START] * 8, END)
    events = DatasetEvents(reader, poll_seconds=0.01)
    leaving = asyncio.create_task(follow(events))
    staying = asyncio.create_task(follow(events))
    await asyncio.sleep(0.03)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert (await staying)[-1] == 100
