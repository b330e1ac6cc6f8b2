"""Makes any Python string one that a tokenizer takes, and tells equal ones apart from others."""

from __future__ import annotations

import hashlib

MAX_TEXT_BYTES = 256 * 1024
"""UTF-8 bytes of a text that are read: hundreds of times what any model here takes in."""


def prepare_text(text: str) -> tuple[str, bool]:
    """Return ``text`` as valid Unicode of at most 256 KiB, and whether it had to be cut for that.

    A lone surrogate becomes U+FFFD; two that belong together become the character they stand for.
    """
    if text.isascii():
        return text[:MAX_TEXT_BYTES], len(text) > MAX_TEXT_BYTES
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        encoded = text.encode()
    if len(encoded) <= MAX_TEXT_BYTES:
        return text, False
    # The bytes of a character that the cut went through are the only invalid ones.
    return encoded[:MAX_TEXT_BYTES].decode(errors="ignore"), True


def text_digest(text: str) -> bytes:
    """Return 16 bytes that are the same for equal texts and differ for others."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
