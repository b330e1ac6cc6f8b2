"""Streams with an idle limit: who is given up, who is not, and what is left behind."""

import asyncio
from contextlib import aclosing

import pytest

from level_rpc.errors import (
    InvalidArgument,
    NotFound,
    StreamIdle,
)
from level_rpc.status import level_errors
from level_rpc.streams import exchange, idle_limited, received
from level_rpc.testing import running_server
from levelapi.tensor.v1.tensor_pb2 import Tensor, TensorBlock
from tests.support.rpc_hosts import BLOCK, call_echo, call_repeat
from tests.unit.level_rpc.echo_service import SERVICE, EchoServicer, EchoStub


async def test_a_silent_stream_is_cancelled_at_its_idle_limit():
    servicer = EchoServicer(pause=60)
    async with running_server(SERVICE, servicer) as channel:
        received = []
        with pytest.raises(StreamIdle) as caught:
            async for response in idle_limited(EchoStub(channel).Repeat(BLOCK), 0.3):
                received.append(response)
        assert len(received) == 1
        assert caught.value.metadata == {"idle_seconds": "0.3"}
        await asyncio.wait_for(servicer.cancelled.wait(), 10)


async def test_a_stream_that_keeps_talking_may_last_longer_than_its_idle_limit():
    async with running_server(SERVICE, EchoServicer(pause=0.4)) as channel:
        call = EchoStub(channel).Repeat(TensorBlock(first_row_index=6))
        assert len([response async for response in idle_limited(call, 2.0)]) == 6


async def test_leaving_a_stream_early_cancels_it():
    servicer = EchoServicer(pause=0.01)
    async with running_server(SERVICE, servicer) as channel:
        call = EchoStub(channel).Repeat(TensorBlock(first_row_index=10_000))
        async with aclosing(idle_limited(call, 10)) as responses:
            await anext(responses)
        await asyncio.wait_for(servicer.cancelled.wait(), 10)


async def test_cancelling_the_task_of_a_stream_cancels_the_call():
    servicer = EchoServicer(pause=60)

    async with running_server(SERVICE, servicer) as channel:
        task = asyncio.create_task(call_repeat(EchoStub(channel)))
        while not servicer.cancelled.is_set():
            await asyncio.sleep(0.2)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_errors_of_a_stream_leave_idle_limited_as_level_errors():
    async with running_server(SERVICE, EchoServicer(NotFound("no such row"))) as channel:
        with pytest.raises(NotFound, match="no such row"):
            async for _ in idle_limited(EchoStub(channel).Repeat(BLOCK), 10):
                pass


async def test_exchange_yields_while_requests_go_up():
    async with running_server(SERVICE, EchoServicer()) as channel:
        turns = asyncio.Queue()

        async def requests():
            for index in range(3):
                yield TensorBlock(first_row_index=index)
                assert await turns.get() == index

        async for response in exchange(EchoStub(channel).Echo, requests(), 10):
            turns.put_nowait(response.first_row_index)
        assert turns.empty()


async def test_exchange_raises_what_the_request_source_raised():
    async def requests():
        yield BLOCK
        raise OSError("disk is gone")

    async with running_server(SERVICE, EchoServicer()) as channel:
        with pytest.raises(OSError, match="disk is gone"):
            async for _ in exchange(EchoStub(channel).Echo, requests(), 10):
                pass


async def test_an_error_in_the_middle_of_an_upload_arrives_as_it_was_raised():
    class Refusing(EchoServicer):
        async def Echo(self, requests, context):
            await anext(requests)
            raise InvalidArgument("the second block is damaged")
            yield

    async def endless():
        while True:
            yield TensorBlock(tensor=Tensor(data=bytes(2**16)))

    async with running_server(SERVICE, Refusing()) as channel:
        for _ in range(10):
            with pytest.raises(InvalidArgument, match="the second block is damaged"):
                async for _ in exchange(EchoStub(channel).Echo, endless(), 10):
                    pass


async def test_exchange_waits_for_a_long_upload_that_is_not_answered_yet():
    class Patient(EchoServicer):
        async def Echo(self, requests, context):
            received = [request async for request in requests]
            yield received[-1]

    async def slow_requests():
        for index in range(6):
            await asyncio.sleep(0.4)
            yield TensorBlock(first_row_index=index)

    async with running_server(SERVICE, Patient()) as channel:
        answers = [b async for b in exchange(EchoStub(channel).Echo, slow_requests(), 2.0)]
    assert [b.first_row_index for b in answers] == [5]


async def test_exchange_takes_no_more_requests_than_the_wire_has_room_for():
    class Deaf(EchoServicer):
        async def Echo(self, requests, context):
            await asyncio.sleep(60)
            yield BLOCK

    taken = 0

    async def endless():
        nonlocal taken
        while True:
            taken += 1
            yield TensorBlock(tensor=Tensor(data=bytes(2**20)))

    async with running_server(SERVICE, Deaf()) as channel:
        with pytest.raises(StreamIdle):
            async for _ in exchange(EchoStub(channel).Echo, endless(), 0.5):
                pass
    assert taken < 50


class LimitedServicer(EchoServicer):
    """Takes requests with an idle limit, and its time over each."""

    def __init__(self, idle_seconds, work_seconds=0.0):
        super().__init__()
        self._idle_seconds = idle_seconds
        self._work_seconds = work_seconds

    async def Echo(self, requests, context):
        async for request in received(requests, self._idle_seconds):
            await asyncio.sleep(self._work_seconds)
            yield request


@pytest.mark.parametrize("sent_count", [0, 2])
async def test_a_client_that_sends_no_more_is_given_up_at_the_idle_limit(sent_count):
    async with running_server(SERVICE, LimitedServicer(0.3)) as channel:
        call = EchoStub(channel).Echo()
        for _ in range(sent_count):
            await call.write(BLOCK)
            assert await call.read() == BLOCK
        with pytest.raises(StreamIdle) as caught, level_errors():
            await call.read()
    assert caught.value.metadata == {"idle_seconds": "0.3"}


async def test_work_on_a_request_is_no_silence_of_the_client():
    async with running_server(SERVICE, LimitedServicer(0.5, work_seconds=0.8)) as channel:
        assert len(await call_echo(EchoStub(channel))) == 3
