"""``grpc.health.v1`` that also says why a service does not serve."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from grpc_health.v1 import health, health_pb2

from level_rpc.metadata import NOT_SERVING_REASON_KEY, encode_text


@dataclass(frozen=True)
class HealthReport:
    """What a health check found.

    Attributes
    ----------
    serving
        Whether the service takes calls.
    reason
        Why it does not, and what to do about it; empty while it serves.
    is_loading
        It may serve soon by itself: it is loading, or is not there yet.
    """

    serving: bool
    reason: str = ""
    is_loading: bool = field(default=False, compare=False)


class ReasonedHealth(health.aio.HealthServicer):  # type: ignore[misc]
    """Health of one service, under its own name and ``""``; starts NOT_SERVING."""

    def __init__(self, service_name: str, reason: str) -> None:
        super().__init__()
        self._names = ("", service_name)
        self._reason = reason
        self._stopped = asyncio.Event()
        for name in self._names:
            self._server_status[name] = health_pb2.HealthCheckResponse.NOT_SERVING

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Any) -> Any:
        """Return the status; its reason is the trailing metadata ``level-not-serving-reason``."""
        if self._reason:
            value = encode_text(self._reason)
            context.set_trailing_metadata(((NOT_SERVING_REASON_KEY, value),))
        return await super().Check(request, context)

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Any) -> None:
        """Send the status at every change, until the service stops."""
        watching = asyncio.ensure_future(super().Watch(request, context))
        stopping = asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait((watching, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            watching.cancel()
            stopping.cancel()

    def end_watches(self) -> None:
        """End every `Watch`: one that goes on would keep a draining server waiting."""
        self._stopped.set()

    async def report(self, current: HealthReport) -> None:
        """Tell every present and future caller the current state."""
        self._reason = current.reason
        status = health_pb2.HealthCheckResponse
        for name in self._names:
            await self.set(name, status.SERVING if current.serving else status.NOT_SERVING)
