"""Records of a text table, each with the bytes it stands on."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from gateway.tables.dialect import Dialect
from gateway.tables.errors import QuoteNotClosed, TableTooLarge
from gateway.tables.lines import LineFeed


class Record(NamedTuple):
    """A record: its cells, its bytes [start, end) with line ending, its first line from 1."""

    cells: list[str]
    start: int
    end: int
    line_number: int


class RecordReader:
    """Iterates over the records of a table; empty lines are none, but are counted.

    Parameters
    ----------
    feed : LineFeed
        The lines.
    dialect : Dialect
        How cells are told apart.
    max_cell_bytes : int
        The largest cell, in bytes of UTF-8.

    Raises
    ------
    QuoteNotClosed
        A quote is never closed, or closed only after other lines and then followed by text.
    TableTooLarge
        A cell is larger than allowed.
    """

    def __init__(self, feed: LineFeed, dialect: Dialect, max_cell_bytes: int) -> None:
        self._feed = feed
        self.dialect = dialect
        self._max_cell_bytes = max_cell_bytes
        self.blank_line_count = 0
        self.loose_quote_count = 0

    def __iter__(self) -> Iterator[Record]:
        feed = self._feed
        reader = csv.reader(feed, strict=True, **self.dialect.csv_options())
        while True:
            start, line_number = feed.begin_record(), feed.line_number + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                cells = self._read_loosely(error, line_number)
            if not cells:
                self.blank_line_count += 1
                continue
            if feed.offset - start > self._max_cell_bytes:
                self._check_cells(cells, line_number)
            yield Record(cells, start, feed.offset, line_number)

    def warnings(self) -> Iterator[str]:
        """Yield, in words, what a person should know about blank lines and quotes."""
        if self.blank_line_count:
            yield f"{self.blank_line_count:,} blank lines are not counted as rows."
        if self.loose_quote_count:
            yield f"{self.loose_quote_count:,} rows have text behind a closing quote."
        if not self.dialect.quote_char:
            yield "Quotes are read as ordinary characters: read as quotes, they would not match."

    def _check_cells(self, cells: list[str], line_number: int) -> None:
        largest = max(len(cell.encode("utf-8")) for cell in cells)
        if largest > self._max_cell_bytes:
            raise _cell_too_large(line_number, self._max_cell_bytes)

    def _read_loosely(self, error: csv.Error, line_number: int) -> list[str]:
        """Return the cells of a line such as ``"Big" Bang,1``: quotes that end before the cell.

        Where the quotes reach over several lines, rows would be swallowed: that is refused.
        """
        lines = self._feed.record_lines
        if str(error).startswith("field larger"):
            raise _cell_too_large(line_number, self._max_cell_bytes)
        if len(lines) == 1 and not str(error).startswith("unexpected end"):
            once = _OnceFeed(lines[0])
            cells = next(csv.reader(once, **self.dialect.csv_options()))
            if not once.asked_again:
                self.loose_quote_count += 1
                return cells
        raise self._not_closed(line_number, is_at_end=str(error).startswith("unexpected end"))

    def _not_closed(self, line_number: int, is_at_end: bool) -> QuoteNotClosed:
        opened = line_number + _open_quote_line(self._feed.record_lines, self.dialect)
        quote, last_line = self.dialect.quote_char, self._feed.line_number
        reach = (
            f"is never closed: the file ends in line {last_line:,}. Is the file cut off?"
            if is_at_end
            else f"is closed only in line {last_line:,}, and there text follows it."
        )
        return QuoteNotClosed(
            f"The quote {quote} that opens a cell in line {opened:,} {reach} Close it where the"
            f" cell ends, or double it ({quote}{quote}) if it belongs to the text.",
            line=opened,
        )


class _OnceFeed:
    """One line, and whether the reader asked for more because a quote was still open."""

    def __init__(self, line: str) -> None:
        self._lines = [line]
        self.asked_again = False

    def __iter__(self) -> "_OnceFeed":
        return self

    def __next__(self) -> str:
        if not self._lines:
            self.asked_again = True
            raise StopIteration
        return self._lines.pop()


@contextmanager
def cell_limit(max_cell_bytes: int) -> Iterator[None]:
    """Let `csv` refuse larger cells while they are read; the limit is one of the whole process."""
    before = csv.field_size_limit(max_cell_bytes)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _open_quote_line(lines: list[str], dialect: Dialect) -> int:
    """Return the index of the line that opened the quote that is open in the last line."""
    quote = dialect.quote_char
    opened, is_open = 0, False
    for index, line in enumerate(lines):
        bare = line.replace(dialect.escape_char + quote, "") if dialect.escape_char else line
        quote_count = bare.replace(quote * 2, "").count(quote)
        if is_open and index == len(lines) - 1:
            break
        if quote_count > is_open:
            opened = index
        is_open ^= quote_count % 2 == 1
    return opened


def _cell_too_large(line_number: int, max_cell_bytes: int) -> TableTooLarge:
    return TableTooLarge(
        f"A cell of the record in line {line_number:,} is larger than {max_cell_bytes:,} bytes."
        " Shorten it; if no cell is that long, a quote in that line is never closed.",
        line=line_number,
        limit=max_cell_bytes,
    )
