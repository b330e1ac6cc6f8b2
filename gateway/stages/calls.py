"""What the calls of every service have in common."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc

from level_rpc.streams import exchange

UNARY_SECONDS = 5.0


class Calls:
    """Calls of a service over the channels of a `GrpcStages`.

    Parameters
    ----------
    addresses : dict of str to str
        Where each service listens, by its name.
    idle_seconds : float
        A stream on which nothing comes for this long is given up.
    """

    def __init__(self, addresses: dict[str, str], idle_seconds: float) -> None:
        self._addresses = addresses
        self._idle_seconds = idle_seconds
        self._channels: dict[str, grpc.aio.Channel] = {}

    def _exchange(self, method: Any, requests: AsyncIterator[Any]) -> Any:
        return aclosing(exchange(method, requests, self._idle_seconds))
