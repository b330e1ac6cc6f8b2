"""Errors of reading a table; `UnsupportedFileType` becomes HTTP 415, every other one 400.

InvalidArgument
└── TableError
    ├── UnsupportedFileType     another kind of file: a workbook, an archive, a picture, JSON ...
    ├── EmptyTable              no byte, no header, or no row
    ├── TooFewRows              fewer rows than a terrain needs
    ├── UndecodableText         bytes that no text encoding explains; says which byte, which line
    ├── HeaderUnusable          a header without a single name
    ├── QuoteNotClosed          a quote that swallows what follows it; says which line
    ├── TooManyFields           records longer than the header; says which lines
    ├── TableTooLarge           more columns, rows or bytes in a cell than allowed
    ├── TextColumnUnknown       no column has the name asked for
    ├── TextColumnAmbiguous     several columns have the name asked for
    ├── NoTextColumn            no column that could be clustered as text
    └── TableReadingFailed      the reading process ran out of memory or time, or crashed
"""

from collections.abc import Mapping

from level_rpc.errors import InvalidArgument


class TableError(InvalidArgument):
    """The file is not a table that can be used; the message says what is wrong and where."""

    reason = "TABLE_REFUSED"


class UnsupportedFileType(TableError):
    """The file is of a type that is not read."""

    reason = "FILE_TYPE_UNSUPPORTED"


class EmptyTable(TableError):
    """The file has no byte, no header or no row."""

    reason = "TABLE_EMPTY"


class TooFewRows(TableError):
    """The table has fewer rows than are needed."""

    reason = "TOO_FEW_ROWS"

    def __init__(self, row_count: int, minimum: int) -> None:
        super().__init__(
            f"The table has {row_count:,} row{'' if row_count == 1 else 's'} below its header;"
            f" at least {minimum:,} are needed.",
            row_count=row_count,
            minimum=minimum,
        )


class UndecodableText(TableError):
    """Bytes that are not text in the file's encoding."""

    reason = "TEXT_UNDECODABLE"


class HeaderUnusable(TableError):
    """The first record cannot be a header."""

    reason = "HEADER_UNUSABLE"


class QuoteNotClosed(TableError):
    """An opening quote without an end, or with its end in another cell."""

    reason = "QUOTE_NOT_CLOSED"


class TooManyFields(TableError):
    """Records have more fields than the header has names."""

    reason = "TOO_MANY_FIELDS"


class TableTooLarge(TableError):
    """The table goes over a limit."""

    reason = "TABLE_TOO_LARGE"


class TextColumnUnknown(TableError):
    """No column has the name asked for."""

    reason = "TEXT_COLUMN_UNKNOWN"


class TextColumnAmbiguous(TableError):
    """Several columns have the name asked for."""

    reason = "TEXT_COLUMN_AMBIGUOUS"


class NoTextColumn(TableError):
    """No column holds text that could be clustered."""

    reason = "NO_TEXT_COLUMN"


class TableReadingFailed(TableError):
    """The process that read the table ended without a result."""

    reason = "TABLE_READING_FAILED"


def error_from_parts(reason: str, message: str, metadata: Mapping[str, str]) -> TableError:
    """Return the error of that reason that another process raised."""
    known = {child.reason: child for child in TableError.__subclasses__()}
    return known.get(reason, TableError).rebuild(message, reason, metadata, None)
