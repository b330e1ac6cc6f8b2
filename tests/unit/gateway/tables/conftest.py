"""What the tests of the table reader share: write bytes, read them as a table."""

import csv
import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gateway.tables import RECORDS_FILE, ROWS_FILE, TableInfo, TableLimits, read_rows, read_table

TINY = TableLimits(min_rows=1)


class ReadTable:
    """A table that was read, with the files beside it."""

    def __init__(self, source: Path, folder: Path, info: TableInfo):
        self.source = source
        self.info = info
        self.rows_path = folder / ROWS_FILE
        self.spans = np.load(folder / RECORDS_FILE)

    @property
    def rows(self) -> list[tuple[str, ...]]:
        return read_rows(self.rows_path)

    def read_back(self, data: bytes) -> list[list[str]]:
        """Read exported bytes with the csv module alone, header included, empty lines left out."""
        text = data[self.info.bom_length :].decode(self.info.encoding)
        options = self.info.dialect.csv_options()
        records = [
            record for record in csv.reader(io.StringIO(text, newline=""), **options) if record
        ]
        return records


@pytest.fixture
def read(tmp_path) -> Callable[..., ReadTable]:
    """Return a function that reads bytes as a table."""

    def read_bytes(data: bytes, text_column=None, limits=TINY, dialect=None) -> ReadTable:
        source = tmp_path / "upload"
        source.write_bytes(data)
        info = read_table(source, tmp_path, text_column, limits, dialect=dialect)
        return ReadTable(source, tmp_path, info)

    return read_bytes


@pytest.fixture
def data_dir() -> Path:
    """Return the folder of real files, or skip."""
    return find_data_dir() or pytest.skip("no folder of real files: set LEVEL_TEST_DATA")


def find_data_dir() -> Path | None:
    default = Path(__file__).parents[5] / "shared" / "data"
    folder = Path(os.environ.get("LEVEL_TEST_DATA", default))
    return folder if folder.is_dir() else None
