"""Bounds requests: refused by size before they are read, given up when they stall.

Pure ASGI, because a framework has read the body, or turned the refusal into another error, before
anything above it is asked.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.problems import RequestRefused, error_response

MAX_TARGET_BYTES = 16_384
MAX_HEADER_BYTES = 32_768
IDLE_SECONDS = 30.0
# After an early answer the rest of the body is read for this long, or this many bytes: closing at
# once would reset the connection, and a client that is still sending might never see the answer.
LINGER_SECONDS = 1.0
LINGER_BYTES = 2_097_152


@dataclass(frozen=True)
class Limit:
    """The most bytes of content, and of what may be wrapped around it."""

    content_bytes: int
    wrapping_bytes: int = 0

    @property
    def most_bytes(self) -> int:
        """The most bytes of a body."""
        return self.content_bytes + self.wrapping_bytes


class BodyTooLarge(RequestRefused):
    """The request's body is over the limit."""

    def __init__(self, limit: int) -> None:
        message = f"What was sent is larger than the {limit:,} bytes that are taken."
        super().__init__(413, "BODY_TOO_LARGE", message)


class BodyStalled(RequestRefused):
    """The client stopped sending in the middle of the body."""

    def __init__(self) -> None:
        super().__init__(408, "BODY_STALLED", f"Nothing was sent for {IDLE_SECONDS:g} seconds.")


class BodyLimit:
    """ASGI middleware that bounds bodies and closes connections whose body was not read.

    Parameters
    ----------
    app : ASGI application
    limit_of : callable
        Returns the limit on the body of a request to this path.
    """

    def __init__(self, app: ASGIApp, limit_of: Callable[[str], Limit]) -> None:
        self._app = app
        self._limit_of = limit_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit_of(scope["path"])
        body = _Body(scope, receive, send, limit)
        refusal = _refusal_of_head(scope)
        if refusal is None and body.announced_bytes > limit.most_bytes:
            refusal = BodyTooLarge(limit.content_bytes)
        if refusal is not None:
            await error_response(refusal)(scope, body.receive, body.send)
            return
        await self._app(scope, body.receive, body.send)


def _refusal_of_head(scope: Scope) -> RequestRefused | None:
    """Return what is wrong with the head's size; the server bounds it only if it comes in parts."""
    if len(scope.get("raw_path", b"")) + len(scope["query_string"]) > MAX_TARGET_BYTES:
        message = f"The address is longer than {MAX_TARGET_BYTES:,} bytes."
        return RequestRefused(414, "ADDRESS_TOO_LONG", message)
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
        message = f"The headers are longer than {MAX_HEADER_BYTES:,} bytes."
        return RequestRefused(431, "HEADERS_TOO_LARGE", message)
    return None


class _Body:
    """The body of one request, counted as it is read."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit: Limit) -> None:
        headers = dict(scope["headers"])
        self.announced_bytes = int(headers.get(b"content-length", b"0"))
        self._unread = self.announced_bytes > 0 or b"transfer-encoding" in headers
        self._receive = receive
        self._send = send
        self._limit = limit
        self._byte_count = 0

    async def receive(self) -> Message:
        """Return the next message; raise when the body is too large or does not come."""
        if not self._unread:
            return await self._receive()
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                message = await self._receive()
        except TimeoutError:
            raise BodyStalled from None
        self._note(message)
        if self._byte_count > self._limit.most_bytes:
            raise BodyTooLarge(self._limit.content_bytes)
        return message

    async def send(self, message: Message) -> None:
        """Send a message; an answer that comes before the body's end closes the connection."""
        refused = message.get("status") == 413
        if message["type"] == "http.response.start" and (self._unread or refused):
            headers = [*message.get("headers", []), (b"connection", b"close")]
            message = {**message, "headers": headers}
        if message["type"] == "http.response.body" and self._unread:
            if not message.get("more_body", False):
                await self._send({**message, "more_body": True})
                await self._linger()
                message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    def _note(self, message: Message) -> None:
        self._byte_count += len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._unread = False

    async def _linger(self) -> None:
        end = self._byte_count + LINGER_BYTES
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while self._unread and self._byte_count < end:
                    self._note(await self._receive())
        except TimeoutError:
            return
