"""Calls go to the server with the fewest, past those that cannot answer."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from level_rpc import replicas as module
from level_rpc.errors import InvalidArgument, Unavailable
from level_rpc.replicas import LOOK_UP_SECONDS, REST_SECONDS, Replicas
from level_rpc.server import ServiceHost
from tests.unit.level_rpc.echo_service import SERVICE, EchoServicer


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@asynccontextmanager
async def servers(count):
    """Give the addresses of running servers, and what stops each."""
    async with AsyncExitStack() as stack:
        hosts = [ServiceHost(SERVICE, "127.0.0.1:0") for _ in range(count)]
        for host in hosts:
            await host.start()
            await host.load(EchoServicer)
            stack.push_async_callback(host.stop, 0)
        yield hosts


@asynccontextmanager
async def spread_over(hosts, clock):
    replicas = Replicas(",".join(host.address for host in hosts), clock)
    try:
        yield replicas
    finally:
        await replicas.close()


async def picked(replicas, calls, stack):
    """Return which channel each of some calls, all under way at once, was given."""
    return [await stack.enter_async_context(replicas.least_busy()) for _ in range(calls)]


async def test_each_server_has_as_many_calls_as_the_next(clock):
    async with (
        servers(3) as hosts,
        spread_over(hosts, clock) as replicas,
        AsyncExitStack() as stack,
    ):
        assert await replicas.count() == 3
        channels = await picked(replicas, 9, stack)
        assert sorted(channels.count(one) for one in set(channels)) == [3, 3, 3]


async def test_of_servers_as_busy_the_one_that_waited_longer_is_next(clock):
    async with servers(2) as hosts, spread_over(hosts, clock) as replicas:
        given = []
        for _ in range(6):
            async with replicas.least_busy() as channel:
                given.append(channel)
        assert given == given[:2] * 3 and given[0] is not given[1]


async def test_a_slow_call_keeps_further_ones_away_from_its_server(clock):
    async with servers(2) as hosts, spread_over(hosts, clock) as replicas:
        async with replicas.least_busy() as slow:
            for _ in range(6):
                async with replicas.least_busy() as channel:
                    assert channel is not slow


async def test_a_server_that_could_not_answer_rests_while_another_can(clock):
    async with servers(2) as hosts, spread_over(hosts, clock) as replicas:
        with suppress(Unavailable):
            async with replicas.least_busy() as resting:
                raise Unavailable("not now")
        async with AsyncExitStack() as stack:
            assert resting not in await picked(replicas, 4, stack)
        clock.now += REST_SECONDS
        async with replicas.least_busy() as channel:
            assert channel is resting


async def test_a_call_that_is_wrong_says_nothing_of_its_server(clock):
    async with servers(2) as hosts, spread_over(hosts, clock) as replicas:
        with suppress(InvalidArgument):
            async with replicas.least_busy() as refused:
                raise InvalidArgument("no")
        async with AsyncExitStack() as stack:
            assert refused in await picked(replicas, 2, stack)


async def test_a_server_that_cannot_be_reached_comes_last(clock):
    async with (
        servers(2) as hosts,
        spread_over(hosts, clock) as replicas,
        AsyncExitStack() as stack,
    ):
        await picked(replicas, 2, stack)  # both connect
        await hosts[0].stop(0)
        async with asyncio.timeout(10):
            while len(set(await picked(replicas, 4, stack))) > 1:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_servers_that_a_name_stands_for_are_found_and_forgotten(clock, monkeypatch):
    async with servers(2) as hosts:
        one, two = (host.address for host in hosts)
        found = [one]
        monkeypatch.setattr(module, "list_servers", lambda _: found)
        replicas = Replicas("dns:///somewhere:1", clock)
        async with replicas.least_busy() as first:
            found[:] = [one, two]
            assert await replicas.count() == 1  # looked up a moment ago
            clock.now += LOOK_UP_SECONDS
            assert await replicas.count() == 2
            async with replicas.least_busy() as second:
                assert second is not first
            found[:] = [two]
            clock.now += LOOK_UP_SECONDS
            assert await replicas.count() == 1
            async with replicas.least_busy() as channel:
                assert channel is second
        await replicas.close()
