"""Finds the delimiter and the quoting of a text table by trying them and measuring their fit."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

_MAIN_DELIMITERS = (",", ";", "\t", "|")
_DELIMITERS = (*_MAIN_DELIMITERS, "^", ":")
_UNIT_SEPARATOR = "\x1f"
_SEP_LINE = re.compile(r'"?sep=([^\r\n"])"?[\r\n]*', re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    r"""How cells are told apart.

    Parameters
    ----------
    delimiter : str
        One character. In a file of one column it is a character that the file could use.
    quote_char : str
        ``"`` or ``'``, empty when quotes are ordinary characters.
    escape_char : str
        ``\`` where a backslash takes a quote's meaning away, else empty.
    skip_initial_space : bool
        True when a space after the delimiter stands before opening quotes.
    """

    delimiter: str = ","
    quote_char: str = '"'
    escape_char: str = ""
    skip_initial_space: bool = False

    def csv_options(self) -> dict[str, Any]:
        """Return the arguments of `csv.reader` that read this dialect."""
        return {
            "delimiter": self.delimiter,
            "quotechar": self.quote_char or None,
            "escapechar": self.escape_char or None,
            "quoting": csv.QUOTE_MINIMAL if self.quote_char else csv.QUOTE_NONE,
            "skipinitialspace": self.skip_initial_space,
        }

    def describe(self) -> str:
        """Return the dialect in words."""
        names = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", ":": "colon"}
        delimiter = names.get(self.delimiter, repr(self.delimiter))
        quotes = f"quotes {self.quote_char}" if self.quote_char else "no quoting"
        return f"{delimiter}, {quotes}" + (", backslash escapes" if self.escape_char else "")


@dataclass(frozen=True)
class _Fit:
    """How a sample reads in one dialect: field counts of its records, and broken quotes."""

    dialect: Dialect
    counts: tuple[int, ...]
    broken: int

    @property
    def width(self) -> int:
        return self.counts[0] if self.counts else 0

    @property
    def quality(self) -> float:
        """1 when every record has as many fields as the header and no quote is broken."""
        equal = sum(count == self.width for count in self.counts)
        short = sum(1 < count < self.width for count in self.counts)
        return (equal + 0.5 * short - self.broken) / max(len(self.counts) + self.broken, 1)


def sep_line_delimiter(first_line: str) -> str | None:
    """Return the delimiter that a first line such as ``sep=;`` announces, else None."""
    match = _SEP_LINE.fullmatch(first_line)
    return match[1] if match else None


def detect_dialect(lines: list[str], is_whole_file: bool) -> Dialect:
    """Return the dialect in which the first lines of a file read best.

    Parameters
    ----------
    lines : list of str
        Physical lines with their line endings.
    is_whole_file : bool
        False when more lines follow, so that the last record may be cut.
    """
    announced = sep_line_delimiter(lines[0]) if lines else None
    if announced:
        fits = _fits([announced], lines[1:], is_whole_file)
        return _best_quoting(fits).dialect
    best = [_best_quoting(_fits([delimiter], lines, is_whole_file)) for delimiter in _DELIMITERS]
    tables = [fit for fit in best if fit.width > 1 and _is_likely(fit)]
    if tables:
        return max(tables, key=lambda fit: (round(fit.quality, 2), fit.width)).dialect
    headless = [fit for fit in best if _has_lines_above_header(fit)]
    if headless:
        return max(headless, key=lambda fit: Counter(fit.counts).most_common(1)[0]).dialect
    return _single_column(best)


def _is_likely(fit: _Fit) -> bool:
    """Tell a delimiter from punctuation: a colon or caret has to be in nearly every line."""
    return fit.dialect.delimiter in _MAIN_DELIMITERS or fit.quality > 0.9


def _has_lines_above_header(fit: _Fit) -> bool:
    """Tell a title above a table from a column of prose: the table's records agree."""
    width, count = Counter(fit.counts).most_common(1)[0] if fit.counts else (0, 0)
    return width > 1 and count >= 0.8 * len(fit.counts) and fit.dialect.delimiter in ",;\t|"


def _single_column(fits: list[_Fit]) -> Dialect:
    """Return a dialect whose delimiter never splits a cell, so that a column can be added."""
    whole = [fit for fit in fits if set(fit.counts) <= {1}]
    if whole:
        return min(
            whole, key=lambda fit: (fit.broken, _DELIMITERS.index(fit.dialect.delimiter))
        ).dialect
    return Dialect(delimiter=_UNIT_SEPARATOR)


def _fits(delimiters: list[str], lines: list[str], is_whole_file: bool) -> list[_Fit]:
    """Measure each delimiter in every quoting that the sample gives a reason to try."""
    text = "".join(lines)
    fits = []
    for delimiter in delimiters:
        for dialect in _quotings(delimiter, text):
            fits.append(_measure(dialect, lines, is_whole_file))
    return fits


def _quotings(delimiter: str, text: str) -> Iterator[Dialect]:
    plain = Dialect(delimiter)
    yield plain
    if '\\"' in text:
        yield replace(plain, escape_char="\\")
    if f'{delimiter} "' in text:
        yield replace(plain, skip_initial_space=True)
    if delimiter == "\t" and '"' in text:
        yield replace(plain, quote_char="")
    if _is_quoted_with("'", delimiter, text) and not _is_quoted_with('"', delimiter, text):
        yield replace(plain, quote_char="'")
        if "\\'" in text:
            yield replace(plain, quote_char="'", escape_char="\\")


def _is_quoted_with(quote: str, delimiter: str, text: str) -> bool:
    """Tell whether quotes stand at the edges of cells, as many at the left as at the right."""
    edge = re.escape(delimiter)
    opening = len(re.findall(rf"(?:^|(?<=[\r\n{edge}])){quote}", text))
    closing = len(re.findall(rf"{quote}(?=[\r\n{edge}]|$)", text))
    return opening >= 2 and abs(opening - closing) <= 0.1 * opening


def _measure(dialect: Dialect, lines: list[str], is_whole_file: bool) -> _Fit:
    counts, broken = [], 0
    reader = csv.reader(iter(lines), strict=True, **dialect.csv_options())
    while True:
        try:
            record = next(reader)
        except StopIteration:
            break
        except csv.Error:
            broken += reader.line_num < len(lines) or is_whole_file
            continue
        if record:
            counts.append(len(record))
    return _Fit(dialect, tuple(counts), broken)


def _best_quoting(fits: list[_Fit]) -> _Fit:
    """Return the best fit; the earlier, usual quoting unless a later one is better."""
    return max(fits, key=lambda fit: (round(fit.quality, 6), _single_quote_bonus(fit)))


def _single_quote_bonus(fit: _Fit) -> int:
    return 1 if fit.dialect.quote_char == "'" else 0
