"""The plumbing between real servers, real channels and, where signals matter, a real process."""

import asyncio
import json
import os
import signal
import socket
import sys
import threading
from contextlib import aclosing, asynccontextmanager, suppress

import grpc
import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from structlog.testing import capture_logs

from level_rpc.address import AddressUnusable
from level_rpc.channel import check_health, open_channel
from level_rpc.errors import (
    ContractVersionMismatch,
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    ServiceLoading,
    ServiceNotReady,
    StreamIdle,
    Unavailable,
)
from level_rpc.gate import LOADING
from level_rpc.health import HealthReport
from level_rpc.server import ServiceHost
from level_rpc.status import level_errors
from level_rpc.streams import exchange, idle_limited, received
from level_rpc.testing import running_server, starting_server
from levelapi.tensor.v1.tensor_pb2 import Tensor, TensorBlock
from tests.unit.level_rpc.echo_service import NAME, SERVICE, EchoServicer, EchoStub, blocks

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BLOCK = TensorBlock(first_row_index=3)


@pytest.fixture(autouse=True)
def clear_contextvars():
    yield
    structlog.contextvars.clear_contextvars()


async def call_unary(stub):
    return [await stub.Unary(BLOCK)]


async def call_last(stub):
    return [await stub.Last(blocks(3))]


async def call_repeat(stub):
    return [response async for response in stub.Repeat(BLOCK)]


async def call_echo(stub):
    return [response async for response in stub.Echo(blocks(3))]


SHAPES = [call_unary, call_last, call_repeat, call_echo]


@pytest.mark.parametrize(("call", "count"), list(zip(SHAPES, (1, 1, 3, 3), strict=True)))
async def test_all_four_shapes_answer(call, count):
    async with running_server(SERVICE, EchoServicer()) as channel:
        assert len(await call(EchoStub(channel))) == count


@pytest.mark.parametrize("call", SHAPES)
async def test_a_level_error_arrives_as_it_was_raised(call):
    error = NotFound("no row 7; ask for 0 to 6 \N{SNOWMAN}", retry_after=1.5, row_index=7)
    error.reason = "ROW_UNKNOWN"
    async with running_server(SERVICE, EchoServicer(error)) as channel:
        with pytest.raises(NotFound) as caught, level_errors():
            await call(EchoStub(channel))
    received = caught.value
    assert (received.reason, received.message) == (error.reason, error.message)
    assert (received.metadata, received.retry_after) == ({"row_index": "7"}, 1.5)


@pytest.mark.parametrize("call", SHAPES)
async def test_an_unexpected_exception_hides_its_text_but_logs_it(call):
    servicer = EchoServicer(ValueError("/secret/path"))
    with capture_logs() as logs:
        async with running_server(SERVICE, servicer) as channel:
            with pytest.raises(Internal) as caught, level_errors():
                await call(EchoStub(channel))
    assert caught.value.message == "internal error"
    [logged] = [line for line in logs if line["event"] == "unexpected error"]
    assert logged["exc_info"]
    assert len(caught.value.metadata["request_id"]) == 32


async def test_an_error_raised_within_a_task_group_is_found():
    group = ExceptionGroup("unhandled errors in a TaskGroup", [InvalidArgument("bad eps")])
    async with running_server(SERVICE, EchoServicer(group)) as channel:
        with pytest.raises(InvalidArgument, match="bad eps"), level_errors():
            await EchoStub(channel).Unary(BLOCK)


async def test_every_call_leaves_one_log_line():
    with capture_logs() as logs:
        async with running_server(SERVICE, EchoServicer()) as channel:
            await call_echo(EchoStub(channel))
            assert (await check_health(channel, NAME)).serving
        async with running_server(SERVICE, EchoServicer(NotFound("no"))) as channel:
            with suppress(grpc.aio.AioRpcError):
                await call_unary(EchoStub(channel))
    first, second = [line for line in logs if line["event"] == "call"]
    assert (first["rpc"], first["code"]) == (f"/{NAME}/Echo", "OK")
    assert (second["code"], second["reason"]) == ("NOT_FOUND", "NOT_FOUND")
    assert first["seconds"] >= 0


async def test_the_request_id_travels_to_the_servicer_and_back():
    async with running_server(SERVICE, EchoServicer()) as channel:
        structlog.contextvars.bind_contextvars(request_id="from-rest-1")
        call = EchoStub(channel).RequestId(BLOCK)
        assert (await call).tensor.data == b"from-rest-1"
        initial = dict(await call.initial_metadata())
    assert (initial["x-request-id"], initial["level-contract-version"]) == ("from-rest-1", "1")


@pytest.mark.parametrize("call_name", ["Unary", "Repeat"])
async def test_a_caller_of_another_contract_version_is_refused(call_name):
    async with running_server(SERVICE, EchoServicer()) as channel:
        method = getattr(EchoStub(channel), call_name)
        call = method(BLOCK, metadata=(("level-contract-version", "0"),))
        with pytest.raises(ContractVersionMismatch) as caught, level_errors():
            await call if call_name == "Unary" else await anext(aiter(call))
    assert caught.value.metadata == {"expected": "1", "received": "0"}


@asynccontextmanager
async def hosted(servicer, address="127.0.0.1:0", **options):
    host = ServiceHost(SERVICE, address, **options)
    await host.start()
    await host.load(lambda: servicer)
    try:
        yield host
    finally:
        await host.stop(grace_seconds=0)


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


async def test_a_port_that_is_taken_is_a_clear_error():
    async with hosted(EchoServicer()) as first:
        with pytest.raises(AddressUnusable, match="taken by another process"):
            await ServiceHost(SERVICE, first.address).start()


async def test_a_socket_that_is_in_use_is_not_stolen(tmp_path):
    address = f"unix:{tmp_path}/s"
    async with hosted(EchoServicer(), address):
        with pytest.raises(AddressUnusable, match="in use"):
            await ServiceHost(SERVICE, address).start()
        async with open_channel(address) as channel:
            assert await call_unary(EchoStub(channel)) == [BLOCK]
    assert os.listdir(tmp_path) == []


async def test_a_socket_that_a_dead_process_left_is_replaced(tmp_path):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(f"{tmp_path}/s")
    async with hosted(EchoServicer(), f"unix:{tmp_path}/s") as host:
        async with open_channel(host.address) as channel:
            assert await call_unary(EchoStub(channel)) == [BLOCK]


@pytest.mark.parametrize(
    "address", ["nonsense", "unix:/nonexistent/s", f"unix:/tmp/{'x' * 120}", "unix:/dev/null"]
)
async def test_an_address_that_cannot_be_used_is_a_clear_error(address):
    with pytest.raises(AddressUnusable):
        await ServiceHost(SERVICE, address).start()


async def test_stopping_closes_the_servicer():
    servicer = EchoServicer()
    async with hosted(servicer):
        pass
    assert servicer.closed


@asynccontextmanager
async def child_process(address, how="sound"):
    arguments = ("-m", "tests.unit.level_rpc.echo_service", address, how)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def until_line(process, event):
    while line := await process.stderr.readline():
        with suppress(json.JSONDecodeError):
            if (fields := json.loads(line))["event"] == event:
                return fields
    raise AssertionError(f"the process ended without the event {event!r}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_streams_finish_and_refuses_new_calls(tmp_path, number):
    address = f"unix:{tmp_path}/s"
    # A plain channel: ours would go on repeating the refused call.
    async with child_process(address) as process, grpc.aio.insecure_channel(address) as channel:
        await until_line(process, "serving")
        running = EchoStub(channel).Repeat(TensorBlock(first_row_index=8))
        first = await running.read()
        process.send_signal(number)
        await until_line(process, "draining")
        with pytest.raises(Unavailable), level_errors():
            await EchoStub(channel).Unary(BLOCK)
        assert len([first, *[block async for block in remaining(running)]]) == 8
        assert await asyncio.wait_for(process.wait(), 10) == 0
    assert os.listdir(tmp_path) == []


async def remaining(call):
    while (response := await call.read()) is not grpc.aio.EOF:
        yield response


async def test_the_callers_request_id_is_in_the_log_line_of_the_call(tmp_path):
    address = f"unix:{tmp_path}/s"
    async with child_process(address) as process, open_channel(address) as channel:
        assert (await until_line(process, "serving"))["service"] == "echo"
        structlog.contextvars.bind_contextvars(request_id="from-rest-2")
        await EchoStub(channel).Unary(BLOCK)
        logged = await until_line(process, "call")
    assert (logged["request_id"], logged["code"]) == ("from-rest-2", "OK")


async def test_health_watchers_see_the_end_and_do_not_delay_it():
    host = ServiceHost(SERVICE, "127.0.0.1:0")
    await host.start()
    await host.load(EchoServicer)
    async with open_channel(host.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        seen = [(await watch.read()).status]
        await asyncio.wait_for(host.stop(grace_seconds=300), 30)
        seen += [response.status async for response in remaining(watch)]
    status = health_pb2.HealthCheckResponse
    assert seen == [status.SERVING, status.NOT_SERVING]


async def test_a_second_signal_ends_the_process_at_once(tmp_path):
    address = f"unix:{tmp_path}/s"
    async with child_process(address) as process, open_channel(address) as channel:
        await until_line(process, "serving")
        running = EchoStub(channel).Repeat(TensorBlock(first_row_index=1000))
        await running.read()
        process.send_signal(signal.SIGTERM)
        await until_line(process, "draining")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 128 + signal.SIGTERM
    assert os.listdir(tmp_path) == []


async def test_a_process_that_cannot_load_stays_up_and_says_why(tmp_path):
    address = f"unix:{tmp_path}/s"
    async with child_process(address, "broken") as process, open_channel(address) as channel:
        await until_line(process, "loading failed")
        report = await check_health(channel, NAME)
        assert report == HealthReport(False, "no model; set LEVEL_MODEL")
        with pytest.raises(FailedPrecondition, match="set LEVEL_MODEL"), level_errors():
            await EchoStub(channel).Unary(BLOCK)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_a_process_whose_port_is_taken_says_so_and_fails():
    async with hosted(EchoServicer()) as host, child_process(host.address) as process:
        _, errors = await process.communicate()
        assert process.returncode == 1
        assert b"taken by another process" in errors
        assert b"Traceback" not in errors
