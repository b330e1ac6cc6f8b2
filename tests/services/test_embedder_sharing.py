"""Several clients of one embedder: none holds up another, and none leaves anything behind."""

import asyncio
import threading
import time

import grpc
import pytest

from embedder_svc.loading import load_model
from embedder_svc.servicer import SERVICE, EmbedderServicer
from level_rpc.testing import running_server
from levelapi.embedder.v1 import embedder_service_pb2 as messages
from levelapi.embedder.v1.embedder_service_pb2_grpc import EmbedderServiceStub
from tests.support.embedder_calls import GatedModel, block, config, embed, requests_for
from tests.unit.embedder_svc.tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("embedder")
    path = write_tiny_model(folder / "tiny-bert")
    return load_model(str(path), threads=1, cache_dir=folder / "cache")


@pytest.fixture
def address(tmp_path):
    return f"unix:{tmp_path}/embedder.sock"


def connection(address):
    """Return a channel that shares its connection with no other."""
    return grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def test_a_cancelled_call_stops_within_one_batch(tiny):
    model = GatedModel(tiny)
    async with running_server(SERVICE, EmbedderServicer(model)) as channel:
        stub = EmbedderServiceStub(channel)
        texts = [f"card {row}" for row in range(500)]
        model.gate.clear()
        call = stub.Embed(requests_for(texts))
        await call.read()
        await asyncio.to_thread(model.started.wait, 30)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call.read()
        # On the same connection, so the server has heard of the cancelling before it answers.
        await stub.GetModel(messages.GetModelRequest())
        model.gate.set()
        # Answered only once the device is free again.
        await embed(stub, requests_for(["hello"]), 1)
    assert model.batch_sizes == [32, 1]


async def test_a_short_call_does_not_wait_for_the_end_of_a_long_one(tiny):
    model = GatedModel(tiny)
    async with running_server(SERVICE, EmbedderServicer(model)) as channel:
        stub = EmbedderServiceStub(channel)
        texts = [f"card {row}" for row in range(20_000)]
        model.gate.clear()
        long_call = asyncio.create_task(embed(stub, requests_for(texts), len(texts)))
        await asyncio.to_thread(model.started.wait, 30)
        short_call = stub.Embed()
        await short_call.write(config(1))
        assert (await short_call.read()).HasField("model")
        await short_call.write(block(["hello"]))
        await short_call.done_writing()
        model.gate.set()
        assert (await short_call.read()).HasField("vectors")
        assert not long_call.done()
        _, vectors, _ = await long_call
    assert len(vectors) == len(texts)


async def test_a_client_that_reads_no_answers_is_read_no_further_and_blocks_nobody(tiny, address):
    written = 0

    async def endless_upload(call):
        nonlocal written
        same = ["card"] * 4000
        await call.write(config(10**8))
        for first in range(0, 10**8, len(same)):
            await call.write(block(same, first))
            written += 1

    async with running_server(SERVICE, EmbedderServicer(tiny), address=address) as channel:
        stub = EmbedderServiceStub(channel)
        async with connection(address) as other:
            slow = EmbedderServiceStub(other).Embed()
            upload = asyncio.create_task(endless_upload(slow))
            unchanged, before = 0, -1
            while unchanged < 30:
                await embed(stub, requests_for(["hello", "money"]), 2)
                unchanged = unchanged + 1 if written == before else 0
                before = written
            # What the buffers of one connection hold, in texts and vectors of a few bytes.
            assert 0 < written < 500
            assert not upload.done()
            upload.cancel()
            slow.cancel()
            await asyncio.wait([upload])


async def test_a_client_that_vanishes_leaves_nothing_waiting(tiny, address):
    model = GatedModel(tiny)
    servicer = EmbedderServicer(model)
    async with running_server(SERVICE, servicer, address=address) as channel:
        async with connection(address) as other:
            model.gate.clear()
            call = EmbedderServiceStub(other).Embed(
                requests_for([f"card {row}" for row in range(5000)])
            )
            await call.read()
            await asyncio.to_thread(model.started.wait, 30)
        # Its connection is closed now. Once the server has noticed, nothing of it waits any more.
        await asyncio.to_thread(wait_until, lambda: not servicer._device._ring)
        model.gate.set()
        await embed(EmbedderServiceStub(channel), requests_for(["hello"]), 1)
    assert model.batch_sizes == [32, 1]


async def test_stopping_while_texts_are_embedded_leaves_no_thread(tiny):
    model = GatedModel(tiny)
    servicer = EmbedderServicer(model)
    async with running_server(SERVICE, servicer) as channel:
        model.gate.clear()
        texts = [f"card {row}" for row in range(5000)]
        call = EmbedderServiceStub(channel).Embed(requests_for(texts))
        await call.read()
        await asyncio.to_thread(model.started.wait, 30)
        opening = asyncio.create_task(
            asyncio.to_thread(wait_until, lambda: servicer._device._is_closed)
        )
        # The batch that runs ends, but not before the device is being closed.
        opening.add_done_callback(lambda _: model.gate.set())
    await opening
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith(("embed-", "prepare"))]
    with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
        await call.read()
