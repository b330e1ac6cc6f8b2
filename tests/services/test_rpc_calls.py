"""Calls between real servers and channels: what arrives, and how errors do."""

from contextlib import suppress

import grpc
import pytest
import structlog
from structlog.testing import capture_logs

from level_rpc.channel import check_health
from level_rpc.errors import (
    ContractVersionMismatch,
    Internal,
    InvalidArgument,
    NotFound,
)
from level_rpc.status import level_errors
from level_rpc.testing import running_server
from tests.support.rpc_hosts import BLOCK, SHAPES, call_echo, call_unary
from tests.unit.level_rpc.echo_service import NAME, SERVICE, EchoServicer, EchoStub


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
