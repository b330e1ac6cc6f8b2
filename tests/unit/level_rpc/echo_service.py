"""A service of all four rpc shapes, and a program that serves it, for tests of the plumbing."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable

import grpc
import structlog

from level_rpc.errors import InvalidArgument
from level_rpc.server import Service, serve
from levelapi.tensor.v1.tensor_pb2 import Tensor, TensorBlock

NAME = "level.test.v1.EchoService"


class EchoServicer:
    """Answers with the message it got; a stream ends with `error`, when there is one."""

    def __init__(self, error: Exception | None = None, pause: float = 0.0) -> None:
        self.error = error
        self.pause = pause
        self.calls = 0
        self.cancelled = asyncio.Event()
        self.closed = False

    async def Unary(self, request, context):
        self._fail()
        return request

    async def Last(self, requests, context):
        async for request in requests:
            last = request
        self._fail()
        return last

    async def Repeat(self, request, context):
        try:
            for index in range(request.first_row_index):
                yield TensorBlock(first_row_index=index)
                await asyncio.sleep(self.pause)
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled.set()
            raise
        self._fail()

    async def Echo(self, requests, context):
        async for request in requests:
            yield request
        self._fail()

    async def RequestId(self, request, context):
        bound = structlog.contextvars.get_contextvars()["request_id"]
        return TensorBlock(tensor=Tensor(data=bound.encode()))

    async def close(self):
        self.closed = True

    def _fail(self):
        self.calls += 1
        if self.error is not None:
            raise self.error


_MAKERS = {
    "Unary": grpc.unary_unary_rpc_method_handler,
    "RequestId": grpc.unary_unary_rpc_method_handler,
    "Last": grpc.stream_unary_rpc_method_handler,
    "Repeat": grpc.unary_stream_rpc_method_handler,
    "Echo": grpc.stream_stream_rpc_method_handler,
}


def add_to_server(servicer, server) -> None:
    handlers = {
        name: make(getattr(servicer, name), TensorBlock.FromString, TensorBlock.SerializeToString)
        for name, make in _MAKERS.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))


SERVICE = Service(NAME, add_to_server)


class EchoStub:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.Unary = self._method(channel.unary_unary, "Unary")
        self.RequestId = self._method(channel.unary_unary, "RequestId")
        self.Last = self._method(channel.stream_unary, "Last")
        self.Repeat = self._method(channel.unary_stream, "Repeat")
        self.Echo = self._method(channel.stream_stream, "Echo")

    def _method(self, make: Callable, name: str):
        return make(f"/{NAME}/{name}", TensorBlock.SerializeToString, TensorBlock.FromString)


async def blocks(count: int) -> AsyncIterator[TensorBlock]:
    for index in range(count):
        yield TensorBlock(first_row_index=index)


def build(how: str) -> EchoServicer:
    if how == "broken":
        raise InvalidArgument("no model; set LEVEL_MODEL", model="m")
    return EchoServicer(pause=0.1)


if __name__ == "__main__":
    address, how = sys.argv[1:]
    asyncio.run(serve(SERVICE, lambda: build(how), address, log_name="echo"))
