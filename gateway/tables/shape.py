"""Gives every row as many cells as the header has names; keeps account of those that had not."""

from collections.abc import Iterator, Sequence

from gateway.tables.errors import HeaderUnusable, TableTooLarge, TooManyFields
from gateway.tables.records import Record
from gateway.tables.table_info import TableLimits

_SHOWN_LINES = 10


class RowShape:
    """The columns of a table and what its records must fit into.

    Parameters
    ----------
    header : Record
        The first record.
    limits : TableLimits
        How large the table may be.

    Raises
    ------
    TableTooLarge
        Too many columns, or too long a name.
    HeaderUnusable
        No column has a name.
    """

    def __init__(self, header: Record, limits: TableLimits) -> None:
        self.columns = tuple(header.cells)
        self.row_count = 0
        self.short_row_count = 0
        self._header_line = header.line_number
        self._max_rows = limits.max_rows
        self._short_lines: list[int] = []
        self._long_records: list[tuple[int, int]] = []
        self._check_header(limits)

    def fit(self, record: Record) -> list[str]:
        """Return the cells of a row, one for each column.

        Raises
        ------
        TooManyFields
            This is the tenth record that has more; `check_long_records` reports fewer at the end.
        TableTooLarge
            This row is one too many.
        """
        self.row_count += 1
        if self.row_count > self._max_rows:
            raise TableTooLarge(
                f"The table has more than {self._max_rows:,} rows, the most that are read."
                " Upload a sample of it.",
                limit=self._max_rows,
            )
        missing = len(self.columns) - len(record.cells)
        if missing == 0:
            return record.cells
        if missing < 0:
            self._note_long(record)
            return record.cells[:missing]
        self._note_short(record)
        return record.cells + [""] * missing

    def check_long_records(self) -> None:
        """Raise TooManyFields if any record had more fields than the header."""
        if not self._long_records:
            return
        lines = _join(line for line, _ in self._long_records)
        found = _join(sorted({count for _, count in self._long_records}))
        raise TooManyFields(
            f"The header in line {self._header_line:,} has {len(self.columns):,}"
            f" name{'' if len(self.columns) == 1 else 's'}, but these lines have {found} fields:"
            f" {lines}. Quote cells that hold the delimiter, and remove titles above the header.",
            columns=len(self.columns),
            lines=lines,
            field_counts=found,
        )

    def warnings(self) -> Iterator[str]:
        """Yield, in words, what a person should know about short rows and missing names."""
        if self.short_row_count:
            yield (
                f"{self.short_row_count:,} rows have fewer cells than the header has names; the"
                f" missing ones count as empty (first lines: {_join(self._short_lines)})."
            )
        unnamed = sum(not name.strip() for name in self.columns)
        if unnamed:
            yield f"{unnamed:,} of {len(self.columns):,} columns have no name."

    def _check_header(self, limits: TableLimits) -> None:
        if len(self.columns) > limits.max_columns:
            raise TableTooLarge(
                f"The header has {len(self.columns):,} columns; at most {limits.max_columns:,} are"
                " read. Remove the columns that are not needed.",
                columns=len(self.columns),
                limit=limits.max_columns,
            )
        longest = max(map(len, self.columns))
        if longest > limits.max_name_chars:
            raise TableTooLarge(
                f"A column name in line {self._header_line:,} has {longest:,} characters; at most"
                f" {limits.max_name_chars:,} are read. Is the first line a header?",
                limit=limits.max_name_chars,
            )
        if not any(name.strip() for name in self.columns):
            raise HeaderUnusable(
                f"The first record, in line {self._header_line:,}, should be the header, but it"
                f" has no name in any of its {len(self.columns):,} cells. Remove the lines above"
                " the header.",
                line=self._header_line,
            )

    def _note_short(self, record: Record) -> None:
        self.short_row_count += 1
        if len(self._short_lines) < _SHOWN_LINES:
            self._short_lines.append(record.line_number)

    def _note_long(self, record: Record) -> None:
        self._long_records.append((record.line_number, len(record.cells)))
        if len(self._long_records) == _SHOWN_LINES:
            self.check_long_records()


def _join(numbers: Sequence[int] | Iterator[int]) -> str:
    return ", ".join(f"{number:,}" for number in numbers)
