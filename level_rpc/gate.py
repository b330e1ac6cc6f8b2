"""The gate before a service's handlers: shut until the servicer is built."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, NoReturn

import grpc

from level_rpc.errors import LevelError, ServiceLoading, Unavailable

LOADING = ServiceLoading("the service is still loading; try again", retry_after=1.0)
STOPPING = Unavailable("the service is stopping; try again", retry_after=1.0)


class Gate(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers for one service: with an error while shut, with the servicer once open.

    It refuses by raising, which `CallInterceptor` turns into a status.

    gRPC takes handlers only before a server starts, but the servicer is built after that, so that
    health can be asked meanwhile. The gate is registered in its place; to the generated
    ``add_..._to_server`` function it looks like a server, which is how the handlers get in.
    """

    def __init__(self, service_name: str) -> None:
        self._prefix = f"/{service_name}/"
        self._refusal: LevelError | None = LOADING
        self._handlers: list[grpc.GenericRpcHandler] = []

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Take the servicer's handlers."""
        self._handlers.extend(handlers)

    def add_registered_method_handlers(self, service_name: str, handlers: Any) -> None:
        """Ignore what `add_generic_rpc_handlers` is given too."""

    def open(self) -> None:
        """Let calls through."""
        self._refusal = None

    def refuse(self, error: LevelError) -> None:
        """Answer every call with ``error`` from now on."""
        self._refusal = error

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """Return the handler of a call, None when the call is not this service's."""
        if not details.method.startswith(self._prefix):
            return None
        if self._refusal is not None:
            return _refusing(self._refusal)
        found = (handler.service(details) for handler in self._handlers)
        return next((handler for handler in found if handler is not None), None)


def _refusing(error: LevelError) -> grpc.RpcMethodHandler:
    async def refuse(requests: AsyncIterator[bytes], context: Any) -> NoReturn:
        raise error.with_traceback(None)

    # A stream-stream handler answers calls of every shape, before it reads anything.
    return grpc.stream_stream_rpc_method_handler(refuse)
