"""The file that a command is given, refused before anything is started for it."""

import asyncio
import os
import tempfile
from pathlib import Path

from gateway.settings import GatewaySettings
from gateway.tables import TableError, TableInfo, TableLimits
from gateway.tables.process import read_in_process
from level.errors import CommandFailed


def check_readable(file: Path) -> None:
    """Raise CommandFailed unless there is such a file and it may be read."""
    if file.is_dir():
        raise CommandFailed(f"{file} is a folder; give a CSV file.")
    if not file.exists():
        raise CommandFailed(f"There is no file {file}.")
    if not os.access(file, os.R_OK):
        raise CommandFailed(f"{file} cannot be read: permission denied.")


def read_table_info(file: Path, text_column: str | None, min_rows: int | None = None) -> TableInfo:
    """Return what the gateway will find in a file when it is uploaded.

    It is read in a process of its own, under the limits that the gateway's settings say.

    Raises
    ------
    CommandFailed
        The file is no table that Level can use; in the words that the gateway has for it.
    """
    check_readable(file)
    with tempfile.TemporaryDirectory(prefix="level-read-") as folder:
        return read_table_into(Path(folder), file, text_column, min_rows)


def read_table_into(
    folder: Path, file: Path, text_column: str | None, min_rows: int | None = None
) -> TableInfo:
    """Do as `read_table_info`, and leave the rows in a folder for `gateway.tables.read_rows`."""
    settings = GatewaySettings()
    limits = TableLimits(
        min_rows=TableLimits.min_rows if min_rows is None else min_rows,
        max_rows=settings.max_upload_rows,
        max_columns=settings.max_upload_columns,
        max_cell_bytes=settings.max_cell_bytes,
    )
    reading = read_in_process(
        file.absolute(),
        folder,
        text_column,
        limits,
        memory_mb=settings.read_memory_mb,
        timeout_seconds=settings.read_seconds,
    )
    try:
        return asyncio.run(reading)
    except TableError as error:
        raise CommandFailed(str(error)) from error
