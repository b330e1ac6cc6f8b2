"""Texts in lists small enough to tokenise, and what tells equal ones from others."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial

DIGEST_BYTES = 16

# A text's tokens before they are cut take some hundred times its bytes of memory.
_CHARACTERS_AT_ONCE = 2**20
_TEXTS_AT_ONCE = 4096


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
