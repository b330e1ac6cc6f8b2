"""Channels to Level's services."""

from __future__ import annotations

import json
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from level_rpc.client_interceptors import client_interceptors
from level_rpc.gate import LOADING
from level_rpc.health import HealthReport
from level_rpc.metadata import NOT_SERVING_REASON_KEY, decode_text, read
from level_rpc.status import from_rpc_error
from level_rpc.targets import dial_target

MAX_MESSAGE_BYTES = 4 * 2**20
"""gRPC's own default: it catches a sender that forgot to cut an array into blocks."""

UNARY_SECONDS = 30.0

_SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            # Every method: gRPC itself repeats no call, unary or stream, that has been answered.
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.3s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                # CANCELLED is what calls get that reach a server in the moment it stops.
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
            },
        }
    ],
}

_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Four minutes of silence is where cloud load balancers cut a connection.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # gRPC waits up to two minutes between attempts to connect, longer than any restart takes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # The services are neighbours; HTTP_PROXY is meant for the world outside.
    ("grpc.enable_http_proxy", 0),
)


def open_channel(address: str, *, unary_seconds: float = UNARY_SECONDS) -> grpc.aio.Channel:
    """Return a channel to the service at ``address``; it connects when first used.

    Calls carry the contract version and the ``request_id`` of structlog's context variables. A call
    that found nobody, or a service still loading, is repeated for about three seconds.

    Parameters
    ----------
    address
        ``host:port``, ``dns:///host:port`` (calls go to all its addresses in turn),
        ``unix:/path``, or a list as `dial_target` takes it, whose members calls go to in turn.
    unary_seconds
        Deadline of a unary call made without a timeout. Streams have none: see
        `level_rpc.streams.idle_limited`.

    Raises
    ------
    AddressUnusable
        As `dial_target`.
    """
    return grpc.aio.insecure_channel(
        dial_target(address), options=_OPTIONS, interceptors=client_interceptors(unary_seconds)
    )


async def check_health(
    channel: grpc.aio.Channel, service_name: str, *, seconds: float = 2.0
) -> HealthReport:
    """Return whether a service serves, and if not, why; a service that is away does not raise.

    Parameters
    ----------
    service_name
        Full name, as ``levelapi.embedder.v1.EmbedderService``; ``""`` asks for the whole server.
    seconds
        How long to wait for the answer.
    """
    call = health_pb2_grpc.HealthStub(channel).Check(
        health_pb2.HealthCheckRequest(service=service_name), timeout=seconds
    )
    try:
        response = await call
        trailing = await call.trailing_metadata()
    except grpc.aio.AioRpcError as error:
        return HealthReport(False, from_rpc_error(error).message, is_loading=True)
    if response.status == health_pb2.HealthCheckResponse.SERVING:
        return HealthReport(True)
    reason = decode_text(read(trailing, NOT_SERVING_REASON_KEY) or "not serving")
    return HealthReport(False, reason, is_loading=reason == LOADING.message)
