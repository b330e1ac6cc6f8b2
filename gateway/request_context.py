"""What every request gets: an id, security headers, a measured duration, and an answer."""

import time
from collections.abc import Callable

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.problems import unexpected_response
from level_rpc.metadata import REQUEST_ID_KEY, request_id

CONTENT_POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", CONTENT_POLICY.encode()),
)
# What web servers write into their logs for a client that left before its answer.
_CLIENT_GONE = 499
_METHODS = {"GET", "HEAD", "POST", "DELETE", "OPTIONS"}
# Method, route template, status, seconds until the answer was sent.
Observe = Callable[[str, str, int, float], None]
log = structlog.get_logger(__name__)


class RequestContext:
    """ASGI middleware around everything else.

    Parameters
    ----------
    app : ASGI application
    observe : callable
        Told of every request that was answered.
    """

    def __init__(self, app: ASGIApp, observe: Observe) -> None:
        self._app = app
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = dict(scope["headers"]).get(REQUEST_ID_KEY.encode(), b"").decode("latin-1")
        own_id = request_id([(REQUEST_ID_KEY, received)])
        with structlog.contextvars.bound_contextvars(request_id=own_id):
            await self._serve(scope, receive, _Sender(send, own_id))

    async def _serve(self, scope: Scope, receive: Receive, sender: "_Sender") -> None:
        start = time.perf_counter()
        try:
            await self._app(scope, receive, sender.send)
        except ClientDisconnect:
            log.info("client_gone", route=_route_of(scope))
            sender.status = sender.status or _CLIENT_GONE
        except Exception:
            log.exception("request_crashed", route=_route_of(scope))
            if sender.status:
                raise  # the server cuts the connection, so that half an answer is not taken for all
            await unexpected_response()(scope, receive, sender.send)
        seconds = time.perf_counter() - start
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._observe(method, _route_of(scope), sender.status, seconds)


def current_request_id() -> str:
    """Return the id of the request that is being served."""
    own_id: str = structlog.contextvars.get_contextvars()["request_id"]
    return own_id


class _Sender:
    def __init__(self, send: Send, own_id: str) -> None:
        self._send = send
        self._own_id = own_id
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            present = {name.lower() for name, _ in message.get("headers", [])}
            added = [(REQUEST_ID_KEY.encode(), self._own_id.encode()), *_HEADERS]
            headers = [*message.get("headers", [])]
            headers.extend((name, value) for name, value in added if name not in present)
            message = {**message, "headers": headers}
        await self._send(message)


def _route_of(scope: Scope) -> str:
    """Return the template of the route, which has no ids in it."""
    return getattr(scope.get("route"), "path", "") or "unmatched"
