"""Streams that cannot hang: every one has an idle limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, Generic, TypeVar

import grpc

from level_rpc.errors import LevelError, StreamIdle
from level_rpc.status import from_rpc_error

Request = TypeVar("Request")

_END = object()


async def idle_limited(call: Any, seconds: float) -> AsyncGenerator[Any, None]:
    """Yield the responses of ``call``; cancel it when none comes for ``seconds``.

    Leaving the iteration early cancels the call too, once the iterator is closed: iterate inside
    ``contextlib.aclosing`` where an early end is possible.

    Parameters
    ----------
    call
        What a stub returned for an rpc that answers with a stream.

    Raises
    ------
    StreamIdle
        No response came for ``seconds``.
    LevelError
        The service answered with it, or cannot be reached.
    """
    async with aclosing(_limited(call, _IdleLimit(seconds))) as responses:
        async for response in responses:
            yield response


async def exchange(
    method: Callable[[AsyncIterator[Request]], Any],
    requests: AsyncIterable[Request],
    seconds: float,
) -> AsyncGenerator[Any, None]:
    """Yield the responses of a call that streams both ways, while ``requests`` go up.

    A request is taken only when there is room for it on the wire, so that an endless source needs
    no memory. The call is cancelled when nothing moves in either direction for ``seconds``, and
    when the iterator is closed.

    Parameters
    ----------
    method
        The stub's method, as ``stub.Embed``.
    requests
        Config first, then items.

    Raises
    ------
    StreamIdle, LevelError
        As `idle_limited`.
    Exception
        What ``requests`` raised; gRPC alone would swallow it.
    """
    limit = _IdleLimit(seconds)
    feed = _Feed(requests, limit.postpone)
    async with aclosing(_limited(method(feed.messages()), limit)) as responses:
        try:
            async for response in responses:
                yield response
        except (asyncio.CancelledError, Exception):
            if feed.error is not None:
                raise feed.error from None
            raise


async def received(
    requests: AsyncIterable[Request], seconds: float
) -> AsyncGenerator[Request, None]:
    """Yield the requests of a call's client, for as long as they keep coming.

    Only waiting for the next request counts: while one is worked on, the client may be held up by
    back-pressure, which is no silence of its own.

    Parameters
    ----------
    requests
        What gRPC passes to a servicer's method that takes a stream.
    seconds
        How long to wait for each request, and for the end.

    Raises
    ------
    StreamIdle
        No request came for ``seconds``.
    """
    limit = _IdleLimit(seconds)
    source = aiter(requests)
    try:
        while (request := await limit.next(source)) is not _END:
            yield request
    except TimeoutError as error:
        raise StreamIdle(
            f"no message came for {seconds:g} seconds; send the stream again",
            idle_seconds=f"{seconds:g}",
        ) from error


class _IdleLimit:
    """A timeout that is put off by whatever shows that the other side is alive."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._timeout: asyncio.Timeout | None = None

    def postpone(self) -> None:
        if self._timeout is not None and not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time() + self.seconds)

    async def next(self, messages: AsyncIterator[Any]) -> Any:
        """Return the next message or ``_END``; raise TimeoutError at the limit."""
        async with asyncio.timeout(self.seconds) as self._timeout:
            try:
                return await anext(messages, _END)
            finally:
                self._timeout = None


class _Feed(Generic[Request]):
    """A request source that reports each request taken, and keeps what the source raised."""

    def __init__(self, source: AsyncIterable[Request], on_taken: Callable[[], None]) -> None:
        self._source = source
        self._on_taken = on_taken
        self.error: Exception | None = None

    async def messages(self) -> AsyncIterator[Request]:
        try:
            async for request in self._source:
                self._on_taken()
                yield request
        except Exception as error:
            self.error = error
            raise


class _FirstStatus:
    """The status that a call ended with.

    grpc.aio overwrites it with INTERNAL when a request was being written as it came (grpc/grpc
    issue 36066), so it is read in the moment of its arrival.
    """

    def __init__(self, call: Any) -> None:
        self._error: grpc.aio.AioRpcError | None = None
        call.add_done_callback(self._keep)

    def level_error(self, error: grpc.aio.AioRpcError) -> LevelError:
        """Return the LevelError of the first status, of ``error`` when none was seen."""
        return from_rpc_error(self._error or error)

    def _keep(self, call: Any) -> None:
        code = _result(call.code())
        if code is not grpc.StatusCode.OK:
            details, trailing = _result(call.details()), _result(call.trailing_metadata())
            self._error = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details)


def _result(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("a call that is done has its status")


async def _limited(call: Any, limit: _IdleLimit) -> AsyncGenerator[Any, None]:
    first_status = _FirstStatus(call)
    responses = aiter(call)
    try:
        while True:
            response = await limit.next(responses)
            if response is _END:
                return
            yield response
    except grpc.aio.AioRpcError as error:
        raise first_status.level_error(error) from error
    except TimeoutError as error:
        raise StreamIdle(
            f"the service sent nothing for {limit.seconds:g} seconds; try again",
            idle_seconds=f"{limit.seconds:g}",
        ) from error
    finally:
        call.cancel()
