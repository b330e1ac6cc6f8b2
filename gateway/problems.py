"""Every error as RFC 9457 problem+json: which status it gets, and what of it a caller may read.

The status follows from the class where one of the gateway's own errors says more than its kind,
else from the kind. Of what the caller sent, a problem repeats no more than a name that the caller
must recognise; of an unexpected error, nothing but the request id under which the log has it.
"""

import json
import math
import time
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from slowapi import Limiter
from slowapi.errors import RateLimitExceeded
from starlette.exceptions import HTTPException
from starlette.responses import Response

from gateway.errors import RevisionConflict, UploadRefused
from gateway.tables import TableError, UnsupportedFileType
from level_rpc.errors import ErrorKind, LevelError

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
_BY_CLASS: tuple[tuple[type[LevelError], int], ...] = (
    (UnsupportedFileType, 415),
    (TableError, 400),
    (UploadRefused, 400),
    (RevisionConflict, 412),
)
_BY_KIND = {
    ErrorKind.INVALID_ARGUMENT: 422,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.FAILED_PRECONDITION: 409,
    ErrorKind.RESOURCE_EXHAUSTED: 503,
    ErrorKind.UNAVAILABLE: 503,
    ErrorKind.DEADLINE_EXCEEDED: 503,
    ErrorKind.ABORTED: 503,
    ErrorKind.DATA_LOSS: 503,
    ErrorKind.INTERNAL: 500,
}
# A service that cannot work now is no fault of the request, whatever kind the service calls it.
_SERVICE_STATES = {"SERVICE_NOT_READY", "CONTRACT_VERSION_MISMATCH", "MODEL_NOT_LOADED"}
_TITLES = {
    400: "Bad request",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timeout",
    409: "Conflict",
    412: "Precondition failed",
    413: "Content too large",
    414: "Address too long",
    415: "Unsupported file type",
    421: "Misdirected request",
    422: "Request refused",
    429: "Too many requests",
    431: "Headers too large",
    500: "Internal error",
    503: "Unavailable",
}
log = structlog.get_logger(__name__)


class RequestRefused(LevelError):
    """A request that is refused for its form, with the status that HTTP has for that.

    Parameters
    ----------
    status : int
        The HTTP status, 4xx.
    reason : str
        The machine-readable reason, in capitals.
    message : str
        What is wrong and what to do.
    """

    kind = ErrorKind.INVALID_ARGUMENT

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


def status_of(error: LevelError) -> int:
    """Return the HTTP status of an error."""
    if isinstance(error, RequestRefused):
        return error.status
    if error.reason in _SERVICE_STATES:
        return 503
    for kind, status in _BY_CLASS:
        if isinstance(error, kind):
            return status
    return _BY_KIND[error.kind]


def problem_response(
    status: int,
    detail: str,
    *,
    reason: str = "",
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> Response:
    """Return a problem+json response; those of `members` that are not empty are added to it."""
    slug = reason.lower().replace("_", "-")
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    problem = {
        "type": f"/problems/{slug}" if slug else "about:blank",
        "title": reason.replace("_", " ").capitalize() if reason else _TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
    }
    extra = {"reason": reason, "request_id": request_id, **members}
    problem |= {name: value for name, value in extra.items() if value}
    return Response(json.dumps(problem), status, headers=headers, media_type=MEDIA_TYPE)


def error_response(error: LevelError) -> Response:
    """Return the problem of a `LevelError`."""
    status = status_of(error)
    headers = {}
    if status == 503:
        headers["Retry-After"] = str(math.ceil(error.retry_after or RETRY_SECONDS))
    if status >= 500:
        log.warning("request_failed", reason=error.reason, status=status, message=error.message)
    return problem_response(
        status, error.message, reason=error.reason, headers=headers, context=error.metadata
    )


def unexpected_response() -> Response:
    """Return the problem of an error whose text is for the log alone."""
    detail = "Internal error; the log has it under this request id."
    return problem_response(500, detail, reason="INTERNAL")


def install_problem_handlers(app: FastAPI, limiter: Limiter) -> None:
    """Make every error of `app` a problem."""

    async def on_rate_limit(request: Request, error: RateLimitExceeded) -> Response:
        return _rate_limit_response(request, limiter)

    app.add_exception_handler(LevelError, _on_level_error)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _on_http_error)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _on_invalid)  # type: ignore[arg-type]
    app.add_exception_handler(RateLimitExceeded, on_rate_limit)  # type: ignore[arg-type]


async def _on_level_error(_: Request, error: LevelError) -> Response:
    return error_response(error)


async def _on_http_error(_: Request, error: HTTPException) -> Response:
    detail = "Nothing is served at this address." if error.status_code == 404 else error.detail
    return problem_response(error.status_code, detail, headers=error.headers)


async def _on_invalid(_: Request, error: RequestValidationError) -> Response:
    errors = [
        {"field": ".".join(str(part) for part in one["loc"]), "message": one["msg"]}
        for one in error.errors()
    ]
    detail = "; ".join(f"{one['field']}: {one['message']}" for one in errors)
    return problem_response(422, detail, reason="FIELD_INVALID", errors=errors)


def _rate_limit_response(request: Request, limiter: Limiter) -> Response:
    limit, keys = request.state.view_rate_limit
    reset, _ = limiter.limiter.get_window_stats(limit, *keys)
    seconds = max(1, math.ceil(reset - time.time()))
    detail = f"Uploads from one address are limited to {limit}; wait {seconds} seconds."
    headers = {"Retry-After": str(seconds)}
    return problem_response(429, detail, reason="UPLOAD_RATE_EXCEEDED", headers=headers)
