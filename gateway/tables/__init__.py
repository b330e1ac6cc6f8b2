"""Delimited text, read and written without losing a byte.

`read_table` (or `process.read_in_process`, apart) tells what a file is, in which encoding and
dialect, which column is the text, and writes its rows and the byte span of each record.
`read_texts` and `read_rows` read the rows back; `write_extended`, `write_weighted` and
`write_resampled` hand the file's own records out again. Whatever is wrong with a file is a
`TableError` that says what and where; `UnsupportedFileType` is the one that means another kind of
file.

Stages of reading, a module each: `filetype`, `encoding`, `lines` (physical lines and their bytes),
`dialect`, `records` (bytes of each record), `shape` (as many cells as columns), `text_column`.
"""

from gateway.tables.dialect import Dialect
from gateway.tables.errors import (
    EmptyTable,
    HeaderUnusable,
    NoTextColumn,
    QuoteNotClosed,
    TableError,
    TableReadingFailed,
    TableTooLarge,
    TextColumnAmbiguous,
    TextColumnUnknown,
    TooFewRows,
    TooManyFields,
    UndecodableText,
    UnsupportedFileType,
)
from gateway.tables.reader import RECORDS_FILE, ROWS_FILE, read_table
from gateway.tables.rows import read_rows, read_texts
from gateway.tables.table_info import TableInfo, TableLimits
from gateway.tables.writer import (
    AddedFields,
    free_name,
    weight_name,
    write_extended,
    write_resampled,
    write_weighted,
)

__all__ = [
    "RECORDS_FILE",
    "ROWS_FILE",
    "AddedFields",
    "Dialect",
    "EmptyTable",
    "HeaderUnusable",
    "NoTextColumn",
    "QuoteNotClosed",
    "TableError",
    "TableInfo",
    "TableLimits",
    "TableReadingFailed",
    "TableTooLarge",
    "TextColumnAmbiguous",
    "TextColumnUnknown",
    "TooFewRows",
    "TooManyFields",
    "UndecodableText",
    "UnsupportedFileType",
    "free_name",
    "read_rows",
    "read_table",
    "read_texts",
    "weight_name",
    "write_extended",
    "write_resampled",
    "write_weighted",
]
