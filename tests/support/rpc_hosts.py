"""Servers of the echo service, and what is sent to them."""

from contextlib import asynccontextmanager

from level_rpc.server import ServiceHost
from levelapi.tensor.v1.tensor_pb2 import TensorBlock
from tests.unit.level_rpc.echo_service import SERVICE, blocks

BLOCK = TensorBlock(first_row_index=3)


@asynccontextmanager
async def hosted(servicer, address="127.0.0.1:0", **options):
    host = ServiceHost(SERVICE, address, **options)
    await host.start()
    await host.load(lambda: servicer)
    try:
        yield host
    finally:
        await host.stop(grace_seconds=0)


async def call_unary(stub):
    return [await stub.Unary(BLOCK)]


async def call_last(stub):
    return [await stub.Last(blocks(3))]


async def call_repeat(stub):
    return [response async for response in stub.Repeat(BLOCK)]


async def call_echo(stub):
    return [response async for response in stub.Echo(blocks(3))]


SHAPES = [call_unary, call_last, call_repeat, call_echo]
