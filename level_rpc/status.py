"""Level errors to ``google.rpc.Status`` and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from level_rpc import errors
from level_rpc.errors import ErrorKind, LevelError

ERROR_DOMAIN = "level"

_STATUS_DETAILS_KEY = "grpc-status-details-bin"

# All trailers together must stay below gRPC's 8 KiB, and the message travels in them twice.
_MAX_MESSAGE_BYTES = 1024
_MAX_METADATA_VALUE_BYTES = 256
_MAX_METADATA_ENTRIES = 8

_TREE: list[type[LevelError]] = [
    error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, LevelError) and error is not LevelError
]
_GENERIC = {error.kind: error for error in _TREE if error.__base__ is LevelError}
_BY_REASON = {(error.kind, error.reason): error for error in _TREE}
_NEAREST_KIND = {
    grpc.StatusCode.OUT_OF_RANGE: ErrorKind.INVALID_ARGUMENT,
    grpc.StatusCode.UNIMPLEMENTED: ErrorKind.FAILED_PRECONDITION,
    # Our own cancelling raises asyncio.CancelledError; this one is a server that stops.
    grpc.StatusCode.CANCELLED: ErrorKind.UNAVAILABLE,
}
# gRPC's own texts name addresses and library internals, so callers get these instead.
_PLAIN_MESSAGES = {
    grpc.StatusCode.UNAVAILABLE: "the service cannot be reached; try again",
    grpc.StatusCode.DEADLINE_EXCEEDED: "the service did not answer in time",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "the service has too many calls, or a message is too large",
    grpc.StatusCode.UNIMPLEMENTED: "the service does not know this call; update it or the caller",
    grpc.StatusCode.CANCELLED: "the service broke off the call; try again",
}


def to_status(error: LevelError) -> status_pb2.Status:
    """Return ``error`` as a ``google.rpc.Status`` with ErrorInfo, and RetryInfo when it has one."""
    status = status_pb2.Status(
        code=grpc.StatusCode[error.kind].value[0], message=_clip(error.message, _MAX_MESSAGE_BYTES)
    )
    status.details.add().Pack(_error_info(error))
    if error.retry_after is not None:
        retry_info = error_details_pb2.RetryInfo()
        retry_info.retry_delay.FromTimedelta(timedelta(seconds=error.retry_after))
        status.details.add().Pack(retry_info)
    return status


def to_grpc_status(error: LevelError) -> grpc.Status:
    """Return ``error`` as what ``context.abort_with_status`` takes."""
    return rpc_status.to_status(to_status(error))


def from_rpc_error(error: grpc.aio.AioRpcError) -> LevelError:
    """Return the LevelError that a service answered with.

    Kind, reason, message, metadata and retry delay are those of the service. A failure without an
    ErrorInfo of ours, as when no service answered, becomes the generic error nearest to its code,
    with a message of ours.
    """
    status = _status_of(error)
    info = error_details_pb2.ErrorInfo()
    if status is None or not _unpack(status, info) or info.domain != ERROR_DOMAIN:
        return _from_code(error.code())
    kind = _kind_of(error.code())
    error_class = _BY_REASON.get((kind, info.reason), _GENERIC[kind])
    retry = error_details_pb2.RetryInfo()
    delay = retry.retry_delay.ToTimedelta().total_seconds() if _unpack(status, retry) else None
    return error_class.rebuild(status.message, info.reason, info.metadata, delay)


@contextmanager
def level_errors() -> Iterator[None]:
    """Raise the LevelError of every ``AioRpcError`` that leaves the block.

    ::

        with level_errors():
            reply = await stub.GetModel(request)
    """
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from error


def _error_info(error: LevelError) -> error_details_pb2.ErrorInfo:
    entries = list(error.metadata.items())[:_MAX_METADATA_ENTRIES]
    return error_details_pb2.ErrorInfo(
        reason=error.reason,
        domain=ERROR_DOMAIN,
        metadata={key: _clip(value, _MAX_METADATA_VALUE_BYTES) for key, value in entries},
    )


def _clip(text: str, max_bytes: int) -> str:
    # "replace" on the way out also turns a lone surrogate into "?".
    return text.encode("utf-8", errors="replace")[:max_bytes].decode("utf-8", errors="ignore")


def _status_of(error: grpc.aio.AioRpcError) -> status_pb2.Status | None:
    for key, value in error.trailing_metadata() or ():
        if key == _STATUS_DETAILS_KEY:
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                return None
    return None


def _unpack(
    status: status_pb2.Status,
    message: error_details_pb2.ErrorInfo | error_details_pb2.RetryInfo,
) -> bool:
    details: list[AnyMessage] = list(status.details)
    try:
        return any(detail.Unpack(message) for detail in details)
    except DecodeError:
        return False


def _kind_of(code: grpc.StatusCode) -> ErrorKind:
    if code.name in ErrorKind.__members__:
        return ErrorKind[code.name]
    return _NEAREST_KIND.get(code, ErrorKind.INTERNAL)


def _from_code(code: grpc.StatusCode) -> LevelError:
    return _GENERIC[_kind_of(code)](_PLAIN_MESSAGES.get(code, "the service failed; see its log"))
