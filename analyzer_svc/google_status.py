"""Reads the JSON form of google.rpc.Status that Google's REST interfaces answer errors with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")


def error_details(body: object) -> list[Mapping[str, Any]]:
    """Return the details of an error body, of whose shape nothing is certain."""
    error = body.get("error") if isinstance(body, Mapping) else None
    details = error.get("details") if isinstance(error, Mapping) else None
    if not isinstance(details, list):
        return []
    return [detail for detail in details if isinstance(detail, Mapping)]


def names_key(body: object) -> bool:
    """Return whether the error is about the key: Google answers a wrong one with 400, not 401."""
    return any(detail.get("reason") == "API_KEY_INVALID" for detail in error_details(body))


def retry_delay(body: object, retry_after: str) -> float | None:
    """Return the seconds to wait, by the body's RetryInfo, else by the header Retry-After.

    Parameters
    ----------
    body : object
        The error as it was parsed from JSON.
    retry_after : str
        The header, a number of seconds or an HTTP date; "" where there is none.
    """
    for detail in error_details(body):
        delay = _DURATION.fullmatch(str(detail.get("retryDelay", "")))
        if delay:
            return float(delay[1])
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after)
        return max((at - datetime.now(UTC)).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return None
