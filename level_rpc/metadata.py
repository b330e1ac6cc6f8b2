"""The metadata that travels with every call: its keys and the version of the contract."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from urllib.parse import quote, unquote

CONTRACT_VERSION = "1"
"""Raised whenever a caller built from older protos could misread an answer."""

CONTRACT_VERSION_KEY = "level-contract-version"
REQUEST_ID_KEY = "x-request-id"
NOT_SERVING_REASON_KEY = "level-not-serving-reason"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

Metadata = Iterable[tuple[str, str | bytes]] | None


def read(metadata: Metadata, key: str) -> str | None:
    """Return the first text value of ``key``, None when it is absent."""
    return next((v for k, v in metadata or () if k == key and isinstance(v, str)), None)


def request_id(metadata: Metadata) -> str:
    """Return the caller's request id, or a new one when there is none that is safe to log."""
    received = read(metadata, REQUEST_ID_KEY)
    if received is not None and _REQUEST_ID.fullmatch(received):
        return received
    return uuid.uuid4().hex


def encode_text(text: str) -> str:
    """Return ``text`` percent-encoded, since a metadata value must be ASCII."""
    return quote(text, safe=" ", errors="replace")


def decode_text(value: str) -> str:
    """Return the text that `encode_text` made ``value`` from."""
    return unquote(value, errors="replace")
