"""Reads the body of an adjustment and checks it; pure.

The body is parsed by hand: a schema library would take numbers for ids and words for numbers, keep
the last of two equal keys, and repeat what it refuses. An id is known in its one usual spelling
only, so that two spellings never mean one cluster.
"""

import json
import math
import re
import sys
from collections.abc import Mapping
from typing import Any

from gateway.errors import RevisionConflict, WeightsRefused
from gateway.problems import RequestRefused
from level_rpc.errors import FailedPrecondition

MAX_BYTES = 1_000_000
MAX_WEIGHT = 1e6
_ETAG = re.compile(r'(?:W/)?"(\d{1,15})"')
_NUMBERS = (int, float)  # bool is an int, and no number
_SHOWN_IDS = 10
_SHOWN_CHARACTERS = 40


def parse_adjustments(body: bytes) -> dict[str, Any]:
    """Return the member `adjustments` of a request's body, its keys as they were written.

    Raises
    ------
    RequestRefused
        400 when the body is not JSON or has a key twice.
    WeightsRefused
        When it is JSON of another shape.
    """
    value = _parse_json(body)
    if not isinstance(value, dict) or "adjustments" not in value:
        raise WeightsRefused('Send an object: {"adjustments": {"<cluster_id>": <weight>}}.')
    if len(value) > 1:
        raise WeightsRefused('The object may have the member "adjustments" only.')
    adjustments = value["adjustments"]
    if not isinstance(adjustments, dict):
        raise WeightsRefused('"adjustments" must be an object of weights by cluster id.')
    if not adjustments:
        raise WeightsRefused('"adjustments" is empty; name at least one cluster.')
    return adjustments


def check_adjustments(
    adjustments: Mapping[str, Any], cluster_ids: Mapping[str, int]
) -> dict[int, float]:
    """Return the new weights by cluster id.

    Parameters
    ----------
    adjustments : mapping of str to any
        As `parse_adjustments` returns them.
    cluster_ids : mapping of str to int
        The ids that exist, by how they are written; -1, noise, among them.

    Raises
    ------
    WeightsRefused
        When an id is unknown, or a weight is not a number from 0 to 1e6.
    """
    unknown = [key for key in adjustments if key not in cluster_ids]
    if unknown:
        shown = ", ".join(_shown(key) for key in unknown[:_SHOWN_IDS])
        rest = f" and {len(unknown) - _SHOWN_IDS} more" if len(unknown) > _SHOWN_IDS else ""
        raise WeightsRefused(f"There is no cluster {shown}{rest}.", unknown_count=len(unknown))
    for key, value in adjustments.items():
        if type(value) not in _NUMBERS or not 0 <= value <= MAX_WEIGHT:
            message = f"The weight of cluster {key} must be a number from 0 to {MAX_WEIGHT:,.0f}."
            raise WeightsRefused(message, cluster_id=key)
    # Neither -0.0 nor a subnormal means anything but 0, and both are traps for later arithmetic.
    return {
        cluster_ids[key]: float(value) if value >= sys.float_info.min else 0.0
        for key, value in adjustments.items()
    }


def expected_revisions(if_match: str | None) -> frozenset[int] | None:
    """Return the revisions that an If-Match header accepts, None when it accepts every one."""
    if if_match is None or if_match.strip() == "*":
        return None
    tags = [_ETAG.fullmatch(tag.strip()) for tag in if_match.split(",")]
    return frozenset(int(tag[1]) for tag in tags if tag)


class RevisionUnknown(RevisionConflict):
    """An If-Match header that names no revision, or several of which none is current."""

    def __init__(self) -> None:
        message = "The weights have none of the revisions in If-Match; read the terrain again."
        FailedPrecondition.__init__(self, message)


def _parse_json(body: bytes) -> Any:
    try:
        return json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_number,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError):
        message = "The request's body is not JSON in UTF-8."
        raise RequestRefused(400, "JSON_INVALID", message) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        message = f"The key {_shown(twice)} stands twice in one object."
        raise RequestRefused(400, "JSON_KEY_REPEATED", message)
    return value


def _number(digits: str) -> int | float:
    # Python refuses to read thousands of digits; as a float they are simply too large.
    return int(digits) if len(digits) < sys.int_info.str_digits_check_threshold else math.inf


def _refuse_constant(name: str) -> float:
    raise WeightsRefused(f"{name} is no weight; weights are numbers from 0 to {MAX_WEIGHT:,.0f}.")


def _shown(key: str) -> str:
    """Return a key for a message: short, and printable whatever it holds."""
    cut = key if len(key) <= _SHOWN_CHARACTERS else key[:_SHOWN_CHARACTERS] + "…"
    return json.dumps(cut)
