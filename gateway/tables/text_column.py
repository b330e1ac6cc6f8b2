"""Chooses the column to cluster: the one asked for, or the one that reads most like text."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.tables.errors import NoTextColumn, TextColumnAmbiguous, TextColumnUnknown
from gateway.tables.table_info import list_columns

_SAMPLE_CELLS = 400_000
_SAMPLE_ROWS = 4_000
_SAMPLE_CHARS = 2_000
_NAME_HINTS = frozenset(
    "text message msg content contents body comment comments review title abstract question query"
    " prompt instruction sentence utterance tweet post description desc narrative headline summary"
    " document input feedback answer".split()
)
_NO_TEXT_NAMES = frozenset("id uuid guid url uri link date time timestamp label class lang".split())
_NUMBER = re.compile(
    r"[\s$€£¥%+\-(]*(\d[\d.,'’_\s\xa0]*|\.\d+)([eE][+\-]?\d+)?[\s%€$£)]*"
    r"|[+\-]?(nan|inf(inity)?)|true|false|null|none|n/?a|#n/a|yes|no|-+",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\d{1,4}[-/.年]\d{1,2}([-/.月]\d{1,4}日?)?([ T]\d{1,2}:\d{2}.*)?|\d{1,2}:\d{2}(:\d{2})?.{0,8}"
    r"|(\d{1,2}[ -])?[A-Za-z]{3,9}\.?[ -]\d{1,2},?[ -]\d{4}"
)
_REFERENCE = re.compile(
    r"(https?|ftp|file|s3)://\S+|www\.\S+|\S+@\S+\.\w+|#?[0-9a-fA-F]{8}[0-9a-fA-F-]{8,}"
    r"|[A-Za-z]{0,4}[-_#]?\d[\w\-]*"
)
# Numbers and dates are short; the patterns for them are slow on long cells made to be slow.
_LONGEST_NUMBER = 64
_POSITION = re.compile(r"#(\d{1,6})")
_WIDE_WORD_CHARS = 2.0


class TextColumn(NamedTuple):
    """The column to cluster: its position from 0, and why it was chosen."""

    position: int
    reason: str


class RowSample:
    """Keeps a few thousand rows evenly spaced over a table whose length is not known beforehand."""

    def __init__(self, column_count: int) -> None:
        self._limit = max(50, min(_SAMPLE_ROWS, _SAMPLE_CELLS // column_count))
        self._stride = 1
        self._seen = 0
        self.rows: list[list[str]] = []

    def add(self, cells: list[str]) -> None:
        """Take the next row, or pass over it."""
        if self._seen % self._stride == 0:
            self.rows.append([cell[:_SAMPLE_CHARS] for cell in cells])
            if len(self.rows) > self._limit:
                del self.rows[1::2]
                self._stride *= 2
        self._seen += 1


@dataclass(frozen=True)
class ColumnProfile:
    """What the sampled cells of one column look like; shares are 0-1 of the cells with content."""

    filled_share: float
    distinct_share: float
    mean_chars: float
    mean_words: float
    text_share: float


def profile_column(cells: Sequence[str]) -> ColumnProfile:
    """Return how much the cells of one column are like text."""
    filled = [stripped for cell in cells if (stripped := cell.strip())]
    if not filled:
        return ColumnProfile(0.0, 0.0, 0.0, 0.0, 0.0)
    count = len(filled)
    return ColumnProfile(
        filled_share=count / len(cells),
        distinct_share=len(set(filled)) / count,
        mean_chars=sum(map(len, filled)) / count,
        mean_words=sum(map(_count_words, filled)) / count,
        text_share=sum(map(_is_text, filled)) / count,
    )


def find_text_column(columns: Sequence[str], name: str) -> TextColumn:
    """Return the column named: as it came, else apart from case and outer spaces, else ``#2``.

    Raises
    ------
    TextColumnUnknown, TextColumnAmbiguous
        No column, or more than one, has the name.
    """
    wanted = name.strip().casefold()
    exact = [at for at, column in enumerate(columns) if column == name]
    alike = [at for at, column in enumerate(columns) if column.strip().casefold() == wanted]
    found = exact or alike
    if len(found) > 1:
        raise _ambiguous(columns, name, found)
    if found:
        return TextColumn(found[0], "asked for by name")
    position = _POSITION.fullmatch(name.strip())
    if position and 1 <= int(position[1]) <= len(columns):
        return TextColumn(int(position[1]) - 1, "asked for by position")
    listed = list_columns(tuple(columns))
    raise TextColumnUnknown(f'There is no column "{name[:100]}". The columns are: {listed}.')


def detect_text_column(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> TextColumn:
    """Return the column whose cells read most like text; names only tip the balance.

    Parameters
    ----------
    columns : sequence of str
        Names as they came.
    rows : sequence of sequences of str
        A sample of the rows, as long as `columns` each.

    Raises
    ------
    NoTextColumn
        Every column is empty, or holds numbers, dates, links or identifiers.
    """
    profiles = [profile_column(cells) for cells in zip(*rows, strict=True)]
    scores = [score_column(name, profile) for name, profile in zip(columns, profiles, strict=True)]
    best = max(range(len(scores)), key=lambda at: scores[at])
    if scores[best] <= 0:
        raise _no_text(columns)
    profile = profiles[best]
    others = "" if len(columns) > 1 else "the only column; "
    return TextColumn(
        best,
        f"detected: {others}{profile.mean_chars:.0f} characters in {profile.mean_words:.0f} words"
        f" on average, {profile.distinct_share:.0%} of the cells different",
    )


def score_column(name: str, profile: ColumnProfile) -> float:
    """Return how well a column serves as the text: 0 when it does not, else a positive number."""
    if profile.text_share < 0.5:
        return 0.0
    length = math.log1p(profile.mean_chars) + math.log1p(profile.mean_words)
    variety = 0.2 + 0.8 * profile.distinct_share
    score = math.sqrt(profile.filled_share) * variety * length * profile.text_share
    words = set(re.findall(r"[a-z]+", name.casefold()))
    if words & _NAME_HINTS:
        return score * 1.2
    return score * 0.8 if words & _NO_TEXT_NAMES else score


def no_text_in_column(columns: Sequence[str], position: int) -> NoTextColumn:
    """Return the error that the column asked for is empty in every row."""
    return NoTextColumn(
        f'The column "{columns[position][:100]}" is empty in every row. The columns are:'
        f" {list_columns(tuple(columns))}. Choose another with text_column."
    )


def _is_text(cell: str) -> bool:
    if len(cell) <= _LONGEST_NUMBER and (_NUMBER.fullmatch(cell) or _DATE.fullmatch(cell)):
        return False
    if len(cell.split()) == 1 and (_REFERENCE.fullmatch(cell) or _is_path(cell)):
        return False
    return any(char.isalpha() or ord(char) > 0x2000 for char in cell)


def _is_path(word: str) -> bool:
    return word.isascii() and word.count("/") > 1


def _count_words(cell: str) -> float:
    """Words between spaces; in scripts without spaces, two characters count as a word."""
    wide = sum("\u2e80" <= char <= "\uffdc" for char in cell)
    return len(cell.split()) + wide / _WIDE_WORD_CHARS


def _ambiguous(columns: Sequence[str], name: str, found: list[int]) -> TextColumnAmbiguous:
    positions = " and ".join(f"#{at + 1}" for at in found[:10])
    return TextColumnAmbiguous(
        f'{len(found)} columns are named "{name[:100]}": {positions}. Say which by its position,'
        f" as text_column=#{found[0] + 1}. The columns are: {list_columns(tuple(columns))}."
    )


def _no_text(columns: Sequence[str]) -> NoTextColumn:
    return NoTextColumn(
        "No column holds text: all are empty, or hold numbers, dates, links or identifiers. The"
        f" columns are: {list_columns(tuple(columns))}. If one of them is to be used all the same,"
        " name it with text_column."
    )
