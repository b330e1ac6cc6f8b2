"""Serving one gRPC service from start to drain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from level_rpc.address import AddressUnusable, bind, release
from level_rpc.channel import MAX_MESSAGE_BYTES
from level_rpc.errors import LevelError, ServiceNotReady
from level_rpc.gate import LOADING, STOPPING, Gate
from level_rpc.health import HealthReport, ReasonedHealth
from level_rpc.interceptors import CallInterceptor
from level_rpc.lifecycle import in_daemon_thread, stop_signal
from level_rpc.logs import configure_logging

_log = structlog.get_logger("level_rpc.server")

MAX_CONCURRENT_RPCS = 256
MAX_CONNECTION_AGE_SECONDS = 300.0
NOTICE_SECONDS = 0.2
"""From NOT_SERVING to the end of listening: calls of that moment are refused, not broken off."""


@dataclass(frozen=True)
class Service:
    """A service as its generated code knows it; one constant ``SERVICE`` in each servicer.py.

    Attributes
    ----------
    name
        Full name, as ``levelapi.embedder.v1.EmbedderService``.
    add_to_server
        The generated ``add_..._to_server``.
    """

    name: str
    add_to_server: Callable[[Any, Any], None]


class ServiceHost:
    """One service on one address: NOT_SERVING from `start`, SERVING after `load`, until `stop`.

    Parameters
    ----------
    service
        What is served.
    address
        ``host:port`` (port 0: any free one) or ``unix:/path``.
    reflection
        Whether callers may list the methods.
    max_concurrent_rpcs
        Calls beyond this many are answered RESOURCE_EXHAUSTED at once.
    max_connection_age_seconds
        A connection is then closed, its calls finishing first, so that callers find new replicas.
    """

    def __init__(
        self,
        service: Service,
        address: str,
        *,
        reflection: bool = False,
        max_concurrent_rpcs: int = MAX_CONCURRENT_RPCS,
        max_connection_age_seconds: float = MAX_CONNECTION_AGE_SECONDS,
    ) -> None:
        self.address = address
        self._service = service
        self._reflection = reflection
        self._gate = Gate(service.name)
        self._health = ReasonedHealth(service.name, LOADING.message)
        self._servicer: object = None
        self._max_concurrent_rpcs = max_concurrent_rpcs
        self._max_connection_age_seconds = max_connection_age_seconds

    async def start(self) -> None:
        """Listen, answering health checks; ``self.address`` is then the bound address.

        Raises
        ------
        AddressUnusable
            The address cannot be listened on.
        """
        # grpc.aio ties a server to the running loop, so it is not made in the constructor.
        self._server = grpc.aio.server(
            interceptors=(CallInterceptor(),),
            maximum_concurrent_rpcs=self._max_concurrent_rpcs,
            options=_server_options(self._max_connection_age_seconds),
        )
        self._server.add_generic_rpc_handlers((self._gate,))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if self._reflection:
            names = (self._service.name, _HEALTH_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._server)
        try:
            self.address = bind(self._server, self.address)
        except AddressUnusable:
            await self._server.stop(None)
            raise
        await self._server.start()
        _log.info("listening", rpc_service=self._service.name, address=self.address)

    async def load(self, build_servicer: Callable[[], object]) -> None:
        """Build the servicer in a thread and open the gate, or keep it shut with the reason."""
        try:
            self._servicer = await in_daemon_thread(build_servicer)
            self._service.add_to_server(self._servicer, self._gate)
        except Exception as error:
            await self._refuse(_not_ready(error))
            return
        self._gate.open()
        await self._health.report(HealthReport(True))
        _log.info("serving", rpc_service=self._service.name)

    async def stop(self, grace_seconds: float) -> None:
        """Report NOT_SERVING, take no new calls, let running ones finish, close the servicer."""
        await self._refuse(STOPPING)
        await self._health.enter_graceful_shutdown()
        _log.info("draining", rpc_service=self._service.name, grace_seconds=grace_seconds)
        await asyncio.sleep(min(NOTICE_SECONDS, grace_seconds))
        self._health.end_watches()
        await self._server.stop(grace_seconds)
        close = getattr(self._servicer, "close", None)
        if close is not None:
            await close()
        release(self.address)
        _log.info("stopped", rpc_service=self._service.name)

    async def _refuse(self, error: LevelError) -> None:
        self._gate.refuse(error)
        await self._health.report(HealthReport(False, error.message))


async def serve(
    service: Service,
    build_servicer: Callable[[], object],
    address: str,
    *,
    log_name: str,
    grace_seconds: float = 30.0,
    reflection: bool = False,
    log_level: str = "INFO",
    max_concurrent_rpcs: int = MAX_CONCURRENT_RPCS,
    max_connection_age_seconds: float = MAX_CONNECTION_AGE_SECONDS,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends the process at once.

    Parameters
    ----------
    build_servicer
        Runs in a thread while health says NOT_SERVING. If it raises a LevelError, the process stays
        up and answers every call with FAILED_PRECONDITION and that error's message. A servicer may
        have ``async def close()``.
    address
        ``host:port`` or ``unix:/path``.
    log_name
        The ``service`` field of every log line.
    grace_seconds
        How long calls under way may take to finish.

    Raises
    ------
    SystemExit
        The address cannot be listened on; status 1, with a message.
    """
    configure_logging(log_name, log_level)
    host = ServiceHost(
        service,
        address,
        reflection=reflection,
        max_concurrent_rpcs=max_concurrent_rpcs,
        max_connection_age_seconds=max_connection_age_seconds,
    )
    stopping = stop_signal(before_exit=lambda: release(host.address))
    try:
        await host.start()
    except LevelError as error:
        raise SystemExit(error.message) from error
    loading = asyncio.create_task(host.load(build_servicer))
    await stopping.wait()
    loading.cancel()
    await host.stop(grace_seconds)


_HEALTH_NAME = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name


def _server_options(max_connection_age_seconds: float) -> tuple[tuple[str, int], ...]:
    return (
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        # Otherwise two processes may listen on one port and share its callers unknowingly.
        ("grpc.so_reuseport", 0),
        ("grpc.max_connection_age_ms", int(max_connection_age_seconds * 1000)),
        # A caller that vanished without a word is noticed, and its calls cancelled.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.min_ping_interval_without_data_ms", 30_000),
    )


def _not_ready(error: Exception) -> ServiceNotReady:
    if not isinstance(error, LevelError):
        _log.error("loading failed", exc_info=error)
        return ServiceNotReady("the service could not load; its log says why", cause="INTERNAL")
    _log.error("loading failed", reason=error.reason, error=error.message, exc_info=error)
    shown = {**error.metadata, "cause": error.reason}
    return ServiceNotReady.rebuild(error.message, ServiceNotReady.reason, shown, error.retry_after)
