"""Errors to google.rpc.Status and back, without a network."""

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from level_rpc import errors, metadata
from level_rpc.errors import LevelError, NotFound, QueueFull, Unavailable
from level_rpc.status import from_rpc_error, level_errors, to_grpc_status, to_status
from levelapi.errors.v1 import error_reason_pb2


def as_received(error: LevelError) -> grpc.aio.AioRpcError:
    status = to_grpc_status(error)
    trailing = grpc.aio.Metadata(*status.trailing_metadata)
    return grpc.aio.AioRpcError(status.code, grpc.aio.Metadata(), trailing, status.details)


def bare(code: grpc.StatusCode, *trailing: tuple[str, bytes]) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailing), "a secret")


@pytest.mark.parametrize(
    "error_class",
    [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, LevelError)],
)
def test_every_error_of_the_tree_comes_back_as_itself(error_class):
    sent = error_class("what is wrong", retry_after=1.5, field="eps")
    received = from_rpc_error(as_received(sent))
    assert isinstance(received, error_class)
    assert (received.kind, received.reason, received.message) == (
        sent.kind,
        sent.reason,
        sent.message,
    )
    assert received.metadata == {"field": "eps"}
    assert received.retry_after == 1.5


def test_a_reason_of_another_package_keeps_kind_reason_and_text():
    class UnknownAlgorithm(errors.InvalidArgument):
        reason = "ALGORITHM_UNKNOWN"

    received = from_rpc_error(as_received(UnknownAlgorithm("no 'foo'", algorithm="foo")))
    assert type(received) is errors.InvalidArgument
    assert received.reason == "ALGORITHM_UNKNOWN"
    assert received.metadata == {"algorithm": "foo"}


def test_specific_reasons_of_the_tree_are_in_the_contract():
    in_contract = {
        name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()
    }
    specific = [
        e
        for e in vars(errors).values()
        if isinstance(e, type) and issubclass(e, LevelError) and e.__base__.__base__ is LevelError
    ]
    assert {e.reason for e in specific} <= in_contract


def test_status_carries_reason_domain_and_retry_delay():
    status = to_status(QueueFull("8 jobs wait", retry_after=2.5, waiting=8))
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(info) and status.details[1].Unpack(retry)
    assert (info.reason, info.domain, dict(info.metadata)) == (
        "QUEUE_FULL",
        "level",
        {"waiting": "8"},
    )
    assert retry.retry_delay.ToTimedelta().total_seconds() == 2.5


@given(st.text(st.characters(exclude_categories=()), max_size=5000), st.text(max_size=2000))
def test_any_text_fits_the_trailers(message, value):
    status = to_status(NotFound(message, value=value))
    assert len(status.SerializeToString()) < 3000


@pytest.mark.parametrize("code", [c for c in grpc.StatusCode if c is not grpc.StatusCode.OK])
def test_errors_that_are_not_ours_keep_no_foreign_text(code):
    received = from_rpc_error(bare(code))
    assert "secret" not in received.message
    assert received.kind == code.name or code.name not in errors.ErrorKind.__members__


@pytest.mark.parametrize(
    "details",
    [b"\xff\xff", status_pb2.Status(code=14).SerializeToString()],
)
def test_broken_or_empty_details_fall_back_to_the_code(details):
    error = bare(grpc.StatusCode.UNAVAILABLE, ("grpc-status-details-bin", details))
    assert type(from_rpc_error(error)) is Unavailable


def test_level_errors_translates_what_leaves_the_block():
    with pytest.raises(QueueFull, match="8 jobs"), level_errors():
        raise as_received(QueueFull("8 jobs wait"))


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=200))
def test_reason_text_survives_ascii_metadata(text):
    encoded = metadata.encode_text(text)
    assert encoded.isascii() and encoded.isprintable()
    assert metadata.decode_text(encoded) == text


@pytest.mark.parametrize("hostile", ["", "a b", "x\ny", "é", "a" * 129])
def test_unsafe_request_ids_are_replaced(hostile):
    assert metadata.request_id([("x-request-id", hostile)]) != hostile


def test_a_safe_request_id_is_kept():
    assert metadata.request_id([("x-request-id", "Abc-1.2:3_4")]) == "Abc-1.2:3_4"
