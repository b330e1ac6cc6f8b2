"""A server from loading to stopping, as plain clients, health watchers and channels see it."""

import asyncio
import threading

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from level_rpc.channel import check_health, open_channel
from level_rpc.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    ResourceExhausted,
    ServiceLoading,
    ServiceNotReady,
    Unavailable,
)
from level_rpc.gate import LOADING
from level_rpc.health import HealthReport
from level_rpc.status import level_errors
from level_rpc.testing import running_server, starting_server
from levelapi.tensor.v1.tensor_pb2 import Tensor, TensorBlock
from tests.support.rpc_hosts import BLOCK, SHAPES, call_unary, hosted
from tests.unit.level_rpc.echo_service import NAME, SERVICE, EchoServicer, EchoStub


async def test_a_plain_client_without_our_metadata_is_served():
    async with (
        hosted(EchoServicer()) as host,
        grpc.aio.insecure_channel(host.address) as channel,
    ):
        assert await EchoStub(channel).Unary(BLOCK) == BLOCK


async def test_unknown_methods_and_services_are_unimplemented():
    async with running_server(SERVICE, EchoServicer()) as channel:
        for path in (f"/{NAME}/Nothing", "/no.such.v1.Service/Unary"):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary(path)(b"")
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_message_over_four_mebibytes_is_refused():
    big = TensorBlock(tensor=Tensor(data=bytes(5 * 2**20)))
    async with running_server(SERVICE, EchoServicer()) as channel:
        with pytest.raises(ResourceExhausted), level_errors():
            await EchoStub(channel).Unary(big)
    async with (
        hosted(EchoServicer()) as host,
        grpc.aio.insecure_channel(host.address) as channel,
    ):
        with pytest.raises(ResourceExhausted), level_errors():
            await EchoStub(channel).Unary(big)


async def test_calls_over_the_limit_are_shed():
    async with hosted(EchoServicer(pause=60), max_concurrent_rpcs=1) as host:
        async with open_channel(host.address) as channel:
            stub = EchoStub(channel)
            running = stub.Repeat(BLOCK)
            await running.read()
            with pytest.raises(ResourceExhausted), level_errors():
                await stub.Unary(BLOCK)
            running.cancel()


async def test_reflection_is_on_only_when_asked_for():
    path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    list_services = b"\x3a\x00"
    for reflection in (True, False):
        async with (
            hosted(EchoServicer(), reflection=reflection) as host,
            open_channel(host.address) as channel,
        ):
            call = channel.stream_stream(path)(iter([list_services]))
            if reflection:
                assert NAME.encode() in await call.read()
            else:
                with pytest.raises(grpc.aio.AioRpcError):
                    await call.read()


async def test_while_loading_calls_are_refused_and_health_says_so():
    loaded = threading.Event()

    def build():
        loaded.wait()
        return EchoServicer()

    async with starting_server(SERVICE, build) as channel:
        for name in ("", NAME):
            assert await check_health(channel, name) == HealthReport(
                False, "the service is still loading; try again"
            )
        with pytest.raises(ServiceLoading) as caught, level_errors():
            await EchoStub(channel).Unary(BLOCK, timeout=20)
        assert caught.value.retry_after == 1.0
        waiting = asyncio.create_task(call_unary(EchoStub(channel)))
        await asyncio.sleep(0)
        loaded.set()
        # The channel repeats a call that met a loading service.
        assert await waiting == [BLOCK]
        assert await check_health(channel, NAME) == HealthReport(True)


async def test_health_watchers_see_the_service_come_up():
    loaded = threading.Event()

    def build():
        loaded.wait()
        return EchoServicer()

    async with starting_server(SERVICE, build) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(service=NAME)
        )
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        loaded.set()
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()


async def loaded_report(channel):
    while (report := await check_health(channel, NAME)).reason == LOADING.message:
        pass
    return report


@pytest.mark.parametrize("call", SHAPES)
async def test_a_failed_load_tells_every_caller_the_fix(call):
    def build():
        error = FailedPrecondition("no weights in \N{SNOWMAN}; run `level fetch`", model="minilm")
        error.reason = "MODEL_NOT_LOADED"
        raise error

    async with starting_server(SERVICE, build) as channel:
        report = await loaded_report(channel)
        assert report == HealthReport(False, "no weights in \N{SNOWMAN}; run `level fetch`")
        with pytest.raises(ServiceNotReady, match="run `level fetch`") as caught, level_errors():
            await call(EchoStub(channel))
    assert caught.value.metadata == {"model": "minilm", "cause": "MODEL_NOT_LOADED"}


async def test_a_load_that_fails_unexpectedly_hides_why():
    def build():
        raise RuntimeError("/secret/path")

    async with starting_server(SERVICE, build) as channel:
        report = await loaded_report(channel)
    assert report == HealthReport(False, "the service could not load; its log says why")


async def test_health_of_a_service_that_is_away_is_a_report_not_an_error():
    async with open_channel("unix:/nonexistent/socket") as channel:
        report = await check_health(channel, NAME, seconds=1.0)
    assert not report.serving
    assert report.reason


async def test_health_of_a_service_that_is_not_there_is_a_report_not_an_error():
    async with running_server(SERVICE, EchoServicer()) as channel:
        assert not (await check_health(channel, "no.such.Service")).serving


async def test_a_unary_call_outlives_a_short_outage(tmp_path):
    address = f"unix:{tmp_path}/s"
    async with open_channel(address) as channel:
        async with hosted(EchoServicer(), address):
            await call_unary(EchoStub(channel))
        calling = asyncio.create_task(call_unary(EchoStub(channel)))
        await asyncio.sleep(0.8)
        assert not calling.done()
        async with hosted(EchoServicer(), address):
            assert await calling == [BLOCK]


async def test_a_long_outage_ends_in_unavailable():
    async with open_channel("unix:/nonexistent/socket") as channel:
        with pytest.raises(Unavailable), level_errors():
            await EchoStub(channel).Unary(BLOCK)


async def test_a_unary_call_has_a_deadline():
    class Hanging(EchoServicer):
        async def Unary(self, request, context):
            await asyncio.sleep(60)

    async with (
        hosted(Hanging()) as host,
        open_channel(host.address, unary_seconds=0.2) as channel,
    ):
        with pytest.raises(DeadlineExceeded), level_errors():
            await EchoStub(channel).Unary(BLOCK)
