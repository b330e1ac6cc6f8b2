"""Keeps other sites' pages away.

A page from anywhere can make a browser call 127.0.0.1, or whatever host its reader may reach:
across origins, or under its own name when that name is made to point there (DNS rebinding). The
origin of a page is in the header `Origin` of everything that changes something; names that anybody
can register have a dot.
"""

import ipaddress

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.problems import RequestRefused, error_response

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


class OwnSite:
    """ASGI middleware that refuses foreign origins, and foreign host names on a local gateway.

    Parameters
    ----------
    app : ASGI application
    origins : list of str
        Origins that may call besides the gateway's own, exactly as browsers send them.
    any_host : bool
        Whether names with a dot are answered to, as behind a proxy that guards the gateway.
    """

    def __init__(self, app: ASGIApp, origins: list[str], any_host: bool) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._any_host = any_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is not None:
            await error_response(refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> RequestRefused | None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if not (self._any_host or is_local_name(host)):
            message = "Only local names are answered to; LEVEL_ALLOW_REMOTE=1 changes that."
            return RequestRefused(421, "HOST_REFUSED", message)
        origin = headers.get(b"origin", b"").decode("latin-1")
        if scope["method"] in _SAFE_METHODS or not origin or origin in self._origins:
            return None
        if origin.partition("://")[2] == host:
            return None
        message = "Pages of this origin may not change anything; CORS_ORIGINS lists those that may."
        return RequestRefused(403, "ORIGIN_REFUSED", message)


def is_local_name(host: str) -> bool:
    """Return whether a `Host` header holds an IP address or a name that nobody can register."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.rstrip(".").lower()
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return "." not in name or name.endswith(".localhost")
    return True
