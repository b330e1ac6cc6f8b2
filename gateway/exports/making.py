"""Makes the bytes of an export from its source; all of it blocks."""

from collections.abc import Iterator
from pathlib import Path

from gateway.exports.csv_file import write_excel_csv, write_list, write_records
from gateway.exports.json_lines import write_json_lines
from gateway.exports.lists import list_table
from gateway.exports.options import ExportOptions, FileType, Profile
from gateway.exports.sheet import Sheet, Table
from gateway.exports.source import ExportSource


def make_export(source: ExportSource, options: ExportOptions, scratch: Path) -> Iterator[bytes]:
    """Return the bytes of an export, in pieces.

    With the first piece every file that it is made from is open.

    Parameters
    ----------
    source : ExportSource
    options : ExportOptions
        Checked.
    scratch : Path
        A folder for what does not fit into memory.

    Raises
    ------
    InvalidSampling
        When the rows that were asked for cannot be drawn.
    FieldInvalid
        When a file of this type cannot hold as much.
    """
    sheet = None if options.is_list else Sheet.make(source, options, scratch)
    if sheet and options.file_type is FileType.ZIP:
        from gateway.exports.folder import write_folder

        return write_folder(sheet, options)
    excel = options.profile is Profile.EXCEL
    if sheet and options.file_type is FileType.CSV and not excel:
        return write_records(sheet)
    table = sheet.table() if sheet else list_table(source, options)
    if options.file_type is FileType.CSV:
        return write_excel_csv(table) if excel else write_list(table)
    return _write_table(table, options.file_type, scratch)


def _write_table(table: Table, file_type: FileType, scratch: Path) -> Iterator[bytes]:
    # What only some of the files need is imported for these: a process is started for each.
    if file_type is FileType.PARQUET:
        from gateway.exports.parquet_file import write_parquet

        return write_parquet(table.schema, table.batches)
    if file_type is FileType.XLSX:
        from gateway.exports.workbook import write_workbook

        return write_workbook(table, scratch)
    return write_json_lines(table.schema, table.batches)
