"""Reads the body of an adjustment and checks it; pure.

The body is read by hand: a schema library would take numbers for ids and words for numbers. An id
is known in its one usual spelling only, so that two spellings never mean one cluster.
"""

import re
import sys
from collections.abc import Mapping
from typing import Any

from gateway.errors import RevisionConflict, WeightsRefused
from gateway.json_bodies import parse_json, shown
from level_rpc.errors import FailedPrecondition

MAX_WEIGHT = 1e6
# A terrain's tag has the plan behind the revision, whose figures it shows.
_ETAG = re.compile(r'(?:W/)?"(\d{1,15})(?:-[0-9a-f-]{36})?"')
_NUMBERS = (int, float)  # bool is an int, and no number
_SHOWN_IDS = 10


def parse_adjustments(body: bytes) -> dict[str, Any]:
    """Return the member `adjustments` of a request's body, its keys as they were written.

    Raises
    ------
    RequestRefused
        400 when the body is not JSON or has a key twice.
    WeightsRefused
        When it is JSON of another shape.
    """
    value = parse_json(body)
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
        named = ", ".join(shown(key) for key in unknown[:_SHOWN_IDS])
        rest = f" and {len(unknown) - _SHOWN_IDS} more" if len(unknown) > _SHOWN_IDS else ""
        raise WeightsRefused(f"There is no cluster {named}{rest}.", unknown_count=len(unknown))
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
