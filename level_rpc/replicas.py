"""Long calls to whichever server of several has the fewest of them.

A channel with round_robin gives each server as many calls as the next one. Where calls take seconds
and only so many run at a time, they would gather at the slowest.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from time import monotonic

import grpc

from level_rpc.channel import open_channel
from level_rpc.errors import DeadlineExceeded, ServiceNotReady, Unavailable
from level_rpc.targets import list_servers

LOOK_UP_SECONDS = 30.0
"""How old the list of servers may be when a call begins."""

REST_SECONDS = 5.0
"""How long a server that could not answer gets no call while another one can."""


@dataclass(eq=False)
class _Replica:
    channel: grpc.aio.Channel
    calls: int = 0
    last_turn: int = 0
    rests_until: float = 0.0
    is_retired: bool = False


class Replicas:
    """A channel to each server that an address stands for; `close` it in the end.

    Parameters
    ----------
    address
        As `level_rpc.channel.open_channel` takes it.
    clock
        Seconds of a clock that never goes back.
    """

    def __init__(self, address: str, clock: Callable[[], float] = monotonic) -> None:
        self._address = address
        self._clock = clock
        self._replicas: dict[str, _Replica] = {}
        self._turns = count(1)
        self._looked_up_at = -LOOK_UP_SECONDS
        self._looking_up = asyncio.Lock()

    async def close(self) -> None:
        """Close every channel; calls under way end with UNAVAILABLE."""
        await asyncio.gather(*(one.channel.close() for one in self._replicas.values()))

    async def count(self) -> int:
        """Return how many servers there are, at least 1."""
        await self._look_up()
        return len(self._replicas)

    @asynccontextmanager
    async def least_busy(self) -> AsyncIterator[grpc.aio.Channel]:
        """Give a channel to the server with the fewest calls, for one call that is made inside.

        Servers that cannot be reached, or could not answer lately, come last.
        """
        await self._look_up()
        replica = min(self._replicas.values(), key=self._burden)
        replica.calls += 1
        replica.last_turn = next(self._turns)
        try:
            yield replica.channel
        except (Unavailable, DeadlineExceeded, ServiceNotReady):
            replica.rests_until = self._clock() + REST_SECONDS
            raise
        finally:
            replica.calls -= 1
            if replica.is_retired and not replica.calls:
                await replica.channel.close()

    def _burden(self, replica: _Replica) -> tuple[bool, bool, int, int]:
        state = replica.channel.get_state(try_to_connect=True)
        return (
            state is grpc.ChannelConnectivity.TRANSIENT_FAILURE,
            self._clock() < replica.rests_until,
            replica.calls,
            replica.last_turn,
        )

    async def _look_up(self) -> None:
        async with self._looking_up:
            if self._clock() - self._looked_up_at < LOOK_UP_SECONDS:
                return
            addresses = await asyncio.to_thread(list_servers, self._address)
            self._looked_up_at = self._clock()
            gone = [address for address in self._replicas if address not in addresses]
            for address in gone:
                await self._retire(self._replicas.pop(address))
            for address in addresses:
                if address not in self._replicas:
                    self._replicas[address] = _Replica(open_channel(address))

    async def _retire(self, replica: _Replica) -> None:
        replica.is_retired = True
        if not replica.calls:
            await replica.channel.close()
