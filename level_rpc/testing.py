"""Real servers for tests and benchmarks, with every interceptor a deployed one has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import grpc

from level_rpc.channel import open_channel
from level_rpc.server import Service, ServiceHost


@asynccontextmanager
async def running_server(
    service: Service, servicer: object, *, address: str = "127.0.0.1:0"
) -> AsyncIterator[grpc.aio.Channel]:
    """Yield a channel to a server of ``servicer``, on a free port unless told otherwise."""
    host = ServiceHost(service, address)
    await host.start()
    await host.load(lambda: servicer)
    try:
        async with open_channel(host.address) as channel:
            yield channel
    finally:
        await host.stop(grace_seconds=0)


@asynccontextmanager
async def starting_server(
    service: Service, build_servicer: Callable[[], object], *, address: str = "127.0.0.1:0"
) -> AsyncIterator[grpc.aio.Channel]:
    """Yield a channel to a server that may still be loading: ``build_servicer`` has just begun."""
    host = ServiceHost(service, address)
    await host.start()
    loading = asyncio.create_task(host.load(build_servicer))
    try:
        async with open_channel(host.address) as channel:
            yield channel
    finally:
        loading.cancel()
        with suppress(asyncio.CancelledError):
            await loading
        await host.stop(grace_seconds=0)
