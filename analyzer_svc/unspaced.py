"""Puts words of scripts without spaces together from the overlapping pieces that are counted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_UNSPACED = re.compile(
    "[\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_WORD_CHARACTERS = 12
# Pieces of one word are counted about as often as each other.
_LIKE_COUNT = 0.9


def join_pieces(ranked: Sequence[str], counts: Mapping[str, int]) -> list[str]:
    """Return the terms with overlapping pieces of one word joined, in order of the first piece.

    "人工", "工智" and "智能" become "人工智能" where they are counted about equally often.
    """
    pieces = [term for term in ranked if _UNSPACED.fullmatch(term)]
    joined: list[str] = []
    for term in ranked:
        if term in pieces:
            pieces.remove(term)
            # Pieces met only once join into whole lines, not words.
            term = _grow(term, pieces, counts) if counts[term] > 1 else term
        elif _UNSPACED.fullmatch(term):
            continue
        joined.append(term)
    return joined


def _grow(term: str, pieces: list[str], counts: Mapping[str, int]) -> str:
    """Return the term lengthened at both ends by pieces, which are taken out of the list."""
    count = counts[term]
    grown = True
    while grown and len(term) < _WORD_CHARACTERS:
        grown = False
        for piece in pieces:
            longer = _join(term, piece) or _join(piece, term)
            if longer and min(count, counts[piece]) >= _LIKE_COUNT * max(count, counts[piece]):
                pieces.remove(piece)
                term, grown = longer, True
                break
    return term


def _join(left: str, right: str) -> str:
    """Return both as one where the end of the left is the start of the right, else ""."""
    for size in range(min(len(left), len(right)) - 1, 0, -1):
        if left.endswith(right[:size]):
            return left + right[size:]
    return ""
