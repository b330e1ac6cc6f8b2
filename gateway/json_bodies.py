"""Reads JSON bodies by hand; pure.

A schema library would keep the last of two equal keys and repeat what it refuses.
"""

import json
import math
import sys
from typing import Any

from gateway.problems import RequestRefused

MAX_BYTES = 1_000_000
_SHOWN_CHARACTERS = 40


def parse_json(body: bytes) -> Any:
    """Return the value of a body; NaN and infinities come as such, for the reader to refuse.

    Raises
    ------
    RequestRefused
        400 when it is not JSON in UTF-8, or an object has a key twice.
    """
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_int=_number)
    except (ValueError, RecursionError):
        message = "The request's body is not JSON in UTF-8."
        raise RequestRefused(400, "JSON_INVALID", message) from None


def shown(key: str) -> str:
    """Return a key for a message: short, and printable whatever it holds."""
    cut = key if len(key) <= _SHOWN_CHARACTERS else key[:_SHOWN_CHARACTERS] + "…"
    return json.dumps(cut)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        message = f"The key {shown(twice)} stands twice in one object."
        raise RequestRefused(400, "JSON_KEY_REPEATED", message)
    return value


def _number(digits: str) -> int | float:
    # Python refuses to read thousands of digits; as a float they are simply too large.
    return int(digits) if len(digits) < sys.int_info.str_digits_check_threshold else math.inf
