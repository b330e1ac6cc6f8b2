"""What happens around every call on the server: contract check, request id, log line, errors."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

import grpc
import structlog

from level_rpc import metadata
from level_rpc.errors import ContractVersionMismatch, Internal, LevelError
from level_rpc.status import to_grpc_status

_log = structlog.get_logger("level_rpc.call")

# Health checks and reflection come every few seconds, from probes that know nothing of Level.
_UNTOUCHED_PREFIX = "/grpc."

_WRITING_SECONDS = 0.25

_Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler | None]]


class CallInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Wraps the handlers of all four rpc shapes.

    * A caller that names another contract version is refused; one that names none is let in.
    * The caller's ``x-request-id``, or a new one, is bound to structlog's context variables and
      goes back in the initial metadata, together with the contract version.
    * A LevelError leaves as ``google.rpc.Status``; any other exception as "internal error" with the
      request id, its traceback in the log only.
    * An error waits a moment for a caller that is still sending: grpc.aio's client reports INTERNAL
      in place of an error that crosses a write (grpc/grpc issue 36066).
    * One log line a call: rpc, code, seconds.
    """

    async def intercept_service(
        self, continuation: _Continuation, details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler | None:
        """Return the wrapped handler of one call."""
        handler = await continuation(details)
        if handler is None or details.method.startswith(_UNTOUCHED_PREFIX):
            return handler
        return _wrap(handler, details.method)


def _wrap(handler: grpc.RpcMethodHandler, rpc: str) -> grpc.RpcMethodHandler:
    behaviour = next(
        filter(
            None,
            (
                handler.unary_unary,
                handler.unary_stream,
                handler.stream_unary,
                handler.stream_stream,
            ),
        )
    )
    return _MAKERS[handler.request_streaming, handler.response_streaming](
        _streaming(behaviour, rpc) if handler.response_streaming else _single(behaviour, rpc),
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


_MAKERS = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def _single(behaviour: Callable[..., Any], rpc: str) -> Callable[..., Any]:
    async def call(request: Any, context: Any) -> Any:
        async with _around(request, context, rpc) as headers:
            response = await behaviour(request, context)
            await context.send_initial_metadata(headers)
            return response

    return call


def _streaming(behaviour: Callable[..., Any], rpc: str) -> Callable[..., Any]:
    async def call(request: Any, context: Any) -> AsyncIterator[Any]:
        async with _around(request, context, rpc) as headers:
            responses = behaviour(request, context)
            if inspect.isawaitable(responses):
                # Such a handler writes to the context itself, or only raises, as the gate's does.
                await responses
                return
            async with aclosing(responses):
                # Headers commit a call, then gRPC retries it no more: so not before an answer.
                async for response in responses:
                    if headers:
                        await context.send_initial_metadata(headers)
                        headers = ()
                    yield response

    return call


@asynccontextmanager
async def _around(
    request: Any, context: Any, rpc: str
) -> AsyncIterator[tuple[tuple[str, str], ...]]:
    """Yield the initial metadata of the answer; translate and log whatever comes of the call."""
    started = time.monotonic()
    received = context.invocation_metadata()
    request_id = metadata.request_id(received)
    structlog.contextvars.bind_contextvars(request_id=request_id)
    outcome: dict[str, Any] = {"code": "OK"}
    try:
        _check_contract_version(metadata.read(received, metadata.CONTRACT_VERSION_KEY))
        yield (
            (metadata.REQUEST_ID_KEY, request_id),
            (metadata.CONTRACT_VERSION_KEY, metadata.CONTRACT_VERSION),
        )
    except (asyncio.CancelledError, GeneratorExit):
        outcome = {"code": "CANCELLED"}
        raise
    except grpc.aio.AbortError:
        outcome = {"code": _code_name(context.code())}
        raise
    except Exception as error:
        shown = _level_error(error)
        if shown is None:
            _log.exception("unexpected error", rpc=rpc)
            shown = Internal("internal error", request_id=request_id)
        outcome = {"code": str(shown.kind), "reason": shown.reason, "error": shown.message}
        await _let_finish_writing(request)
        await context.abort_with_status(to_grpc_status(shown))
    finally:
        _log.info("call", rpc=rpc, seconds=round(time.monotonic() - started, 4), **outcome)


async def _let_finish_writing(request: Any) -> None:
    if not hasattr(request, "__aiter__"):
        return
    with suppress(Exception):
        async with asyncio.timeout(_WRITING_SECONDS):
            async for _ in request:
                pass


def _level_error(error: Exception) -> LevelError | None:
    """Return the LevelError that ``error`` is, or the first of the group that a TaskGroup made."""
    if isinstance(error, LevelError):
        return error
    if isinstance(error, ExceptionGroup) and error.split(LevelError)[1] is None:
        return _level_error(error.exceptions[0])
    return None


def _check_contract_version(received: str | None) -> None:
    if received not in (None, metadata.CONTRACT_VERSION):
        raise ContractVersionMismatch(
            f"this service speaks version {metadata.CONTRACT_VERSION} of the contract and the "
            f"caller version {received}; update the older of the two",
            expected=metadata.CONTRACT_VERSION,
            received=received,
        )


def _code_name(code: Any) -> str:
    # grpc.aio has it as a number or as a StatusCode, by the way that it was set.
    known = (status for status in grpc.StatusCode if code in (status, status.value[0]))
    return next((str(status.name) for status in known), "UNKNOWN")
