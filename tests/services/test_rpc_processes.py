"""Addresses and processes: sockets in use, signals, and a process that cannot load."""

import asyncio
import json
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager, suppress

import grpc
import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc

from level_rpc.address import AddressUnusable
from level_rpc.channel import check_health, open_channel
from level_rpc.errors import (
    FailedPrecondition,
    Unavailable,
)
from level_rpc.health import HealthReport
from level_rpc.server import ServiceHost
from level_rpc.status import level_errors
from levelapi.tensor.v1.tensor_pb2 import TensorBlock
from tests.support.rpc_hosts import BLOCK, call_unary, hosted
from tests.unit.level_rpc.echo_service import NAME, SERVICE, EchoServicer, EchoStub

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


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
