"""Makes any Python string one that a tokenizer takes, and tells equal ones apart from others."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial

MAX_TEXT_BYTES = 256 * 1024
"""UTF-8 bytes of a text that are read: hundreds of times what any model here takes in."""

DIGEST_BYTES = 16

# A text's tokens before they are cut take some hundred times its bytes of memory.
_CHARACTERS_AT_ONCE = 2**20
_TEXTS_AT_ONCE = 4096


def prepare_text(text: str) -> tuple[str, bytes, bool]:
    """Return ``text`` as valid Unicode of at most 256 KiB, its UTF-8, and whether it was cut.

    A lone surrogate becomes U+FFFD; two that belong together become the character they stand for.
    """
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        encoded = text.encode()
    if len(encoded) <= MAX_TEXT_BYTES:
        return text, encoded, False
    # The bytes of a character that the cut went through are the only invalid ones.
    text = encoded[:MAX_TEXT_BYTES].decode(errors="ignore")
    return text, text.encode(), True


def text_digester(*options: str) -> Callable[[bytes], bytes]:
    """Return a function from a text's UTF-8 to 16 bytes, the same for equal texts and no others.

    Parameters
    ----------
    *options
        Whatever else a text's vector depends on: other options give other digests.
    """
    framed = "".join(f"{len(option)}:{option}" for option in options)
    header = hashlib.blake2b(framed.encode("utf-8", "surrogatepass"), digest_size=32).digest()
    # BLAKE2 takes 32 bytes besides the text at no cost.
    digest = partial(
        hashlib.blake2b, digest_size=DIGEST_BYTES, salt=header[:16], person=header[16:]
    )
    return lambda encoded: digest(encoded).digest()


def portions(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the texts in order, in lists that are small enough to tokenise in one go."""
    portion: list[str] = []
    size = 0
    for text in texts:
        is_full = size + len(text) > _CHARACTERS_AT_ONCE or len(portion) == _TEXTS_AT_ONCE
        if portion and is_full:
            yield portion
            portion, size = [], 0
        portion.append(text)
        size += len(text)
    if portion:
        yield portion
