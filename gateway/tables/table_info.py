"""What is known about a table that was read, and the limits it was read under."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from gateway.tables.dialect import Dialect

_SHOWN_COLUMNS = 50
_SHOWN_NAME_CHARS = 60


@dataclass(frozen=True)
class TableLimits:
    """How large a table may be and how small it must not be.

    Parameters
    ----------
    min_rows, max_rows : int
        Rows below the header.
    max_columns : int
        Names in the header.
    max_cell_bytes : int
        Bytes of one cell, as UTF-8.
    max_name_chars : int
        Characters of one column name.
    """

    min_rows: int = 50
    max_rows: int = 1_000_000
    max_columns: int = 1_000
    max_cell_bytes: int = 1_048_576
    max_name_chars: int = 1_000


@dataclass(frozen=True)
class TableInfo:
    """A table as it came: what must be known to read its rows and to write them back.

    Parameters
    ----------
    row_count : int
        Records below the header.
    columns : tuple of str
        Names as they came: they may be empty, repeat, or hold anything.
    text_column : int
        Position of the column to cluster, from 0.
    text_column_name : str
        Its name as it came.
    text_column_reason : str
        How it was chosen, in words.
    encoding : str
        Python's name of the encoding, without any mark of byte order.
    encoding_guessed : bool
        True when neither a byte order mark nor the bytes themselves prove the encoding.
    bom_length : int
        Bytes of the byte order mark, 0 when there is none.
    dialect : Dialect
        Delimiter and quoting.
    line_ending : str
        The end of the header's line.
    header_end : int
        Byte offset just past the header record and its line ending.
    byte_count : int
        Length of the file.
    short_row_count, blank_line_count, blank_text_count : int
        Records with missing fields at their end; empty lines, which are no rows; rows without text.
    warnings : tuple of str
        What a person should know, in words.
    """

    row_count: int
    columns: tuple[str, ...]
    text_column: int
    text_column_name: str
    text_column_reason: str
    encoding: str
    encoding_guessed: bool
    bom_length: int
    dialect: Dialect
    line_ending: str
    header_end: int
    byte_count: int
    short_row_count: int
    blank_line_count: int
    blank_text_count: int
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the table's facts as plain values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the table that `to_dict` gave; keys of others in the same dict are ignored."""
        own = {field.name: values[field.name] for field in fields(cls)}
        own["dialect"] = Dialect(**own["dialect"])
        own["columns"] = tuple(own["columns"])
        own["warnings"] = tuple(own["warnings"])
        return cls(**own)


def list_columns(columns: tuple[str, ...]) -> str:
    """Return the columns' names for a message, numbered where they are empty."""
    shown = [
        f'"{name[:_SHOWN_NAME_CHARS]}"' if name.strip() else f"#{position} (no name)"
        for position, name in enumerate(columns[:_SHOWN_COLUMNS], start=1)
    ]
    rest = len(columns) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest > 0 else "")
