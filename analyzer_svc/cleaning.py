"""Makes text from rows and models safe to show on one line: harmless characters, bounded length."""

from __future__ import annotations

import re
import unicodedata

LABEL_CHARACTERS = 80
LABEL_WORDS = 4
DESCRIPTION_CHARACTERS = 300

_TAG = re.compile(r"<[^<>]*>")
_ADDRESS = re.compile(r"\b(?:[a-z][a-z0-9+.-]{1,20}://|www\.|javascript:|data:)\S*", re.IGNORECASE)
# A spreadsheet takes text that starts like this for a formula; full-width forms count too.
_FORMULA_START = "=+-@＝＋－＠"
_AROUND = "\"'`*_#“”‘’«» .,:;"
_SENTENCE_END = re.compile(r"(?<=[.!?])\s|(?<=[。！？])")
# Joiners shape the letters of Persian, Hindi and others: the only invisible characters kept.
_JOINERS = "\u200c\u200d"
_JOINTS = frozenset("a an and at by for from in of on or the to with about &".split())


def strip_controls(text: str) -> str:
    """Return the text with white space and control characters as spaces, the invisible removed.

    Direction marks, tag characters, unassigned and private characters and lone surrogates go.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cc", "Zs", "Zl", "Zp"):
        return " "
    return "" if category.startswith("C") and character not in _JOINERS else character


def clean_line(text: str) -> str:
    """Return the text as one line without tags, addresses or a formula's first character.

    The result is in NFC, with single spaces, and may be empty.
    """
    text = unicodedata.normalize("NFC", strip_controls(text))
    text = _TAG.sub(" ", text).replace("<", " ").replace(">", " ")
    text = _ADDRESS.sub(" ", text)
    return " ".join(text.split()).lstrip(_FORMULA_START + " ")


def clean_label(text: str) -> str:
    """Return a label of at most four words and 80 characters, without quotes around it; or ""."""
    line = clean_line(text).lstrip(_FORMULA_START + _AROUND).rstrip(_AROUND)
    words = _at_most_four(line.split())
    return shorten(" ".join(words), LABEL_CHARACTERS).rstrip(_AROUND)


def _at_most_four(words: list[str]) -> list[str]:
    """Return the words, more than four cut before a preposition where that leaves two."""
    if len(words) <= LABEL_WORDS:
        return words
    joints = [n for n in range(2, LABEL_WORDS + 1) if words[n].lower() in _JOINTS]
    words = words[: joints[-1] if joints else LABEL_WORDS]
    while len(words) > 1 and words[-1].lower() in _JOINTS:
        words.pop()
    return words


def clean_description(text: str) -> str:
    """Return the first sentence, at most 300 characters; or "" if nothing is left."""
    line = clean_line(text)
    return shorten(_SENTENCE_END.split(line, maxsplit=1)[0].strip(), DESCRIPTION_CHARACTERS)


def shorten(text: str, limit: int) -> str:
    """Return the text cut to ``limit`` characters, between words where the text has spaces."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    return (cut.rsplit(" ", 1)[0].rstrip() or cut) + "…"
