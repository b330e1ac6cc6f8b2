"""What every outgoing call gets: request id, contract version, and a deadline where it has none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
import structlog

from level_rpc import metadata

_Continuation = Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[Any]]


def client_interceptors(unary_seconds: float) -> Sequence[grpc.aio.ClientInterceptor]:
    """Return the interceptors of a channel; ``unary_seconds`` is the deadline of unary calls."""
    return (_UnaryUnary(unary_seconds), _UnaryStream(), _StreamUnary(), _StreamStream())


# grpc.aio takes an interceptor for one rpc shape only, hence four classes.
class _UnaryUnary(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def intercept_unary_unary(
        self, continuation: _Continuation, details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        timeout = self._seconds if details.timeout is None else details.timeout
        return await continuation(_marked(details)._replace(timeout=timeout), request)


class _UnaryStream(grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[misc]
    async def intercept_unary_stream(
        self, continuation: _Continuation, details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(_marked(details), request)


class _StreamUnary(grpc.aio.StreamUnaryClientInterceptor):  # type: ignore[misc]
    async def intercept_stream_unary(
        self, continuation: _Continuation, details: grpc.aio.ClientCallDetails, requests: Any
    ) -> Any:
        return await continuation(_marked(details), requests)


class _StreamStream(grpc.aio.StreamStreamClientInterceptor):  # type: ignore[misc]
    async def intercept_stream_stream(
        self, continuation: _Continuation, details: grpc.aio.ClientCallDetails, requests: Any
    ) -> Any:
        return await continuation(_marked(details), requests)


def _marked(details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
    """Return ``details`` with request id and contract version, unless the caller set them."""
    marks = {
        metadata.REQUEST_ID_KEY: structlog.contextvars.get_contextvars().get("request_id"),
        metadata.CONTRACT_VERSION_KEY: metadata.CONTRACT_VERSION,
    }
    sent = tuple(details.metadata or ())
    missing = tuple(
        (key, str(value))
        for key, value in marks.items()
        if value is not None and metadata.read(sent, key) is None
    )
    return details._replace(metadata=grpc.aio.Metadata(*sent, *missing))
