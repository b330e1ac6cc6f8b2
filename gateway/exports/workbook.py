"""Exports as an Excel workbook, written by XlsxWriter.

Every cell of a person's is a text and none a formula, whatever it begins with. A workbook can be
sent only when it is whole; until then its lines lie in files in the export's own folder.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import xlsxwriter
from xlsxwriter.utility import xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from gateway.exports.sheet import Table
from gateway.exports.texts import to_values
from level_rpc.errors import FieldInvalid

MAX_LINES = 1_048_576
MAX_COLUMNS = 16_384
MAX_CELL_CHARS = 32_767
_SHOWN_CUTS = 100
_PIECE_BYTES = 1 << 20
_FIRST_BYTES = b"PK\x03\x04"  # of any zip archive
_CREATED = datetime(1980, 1, 1, tzinfo=UTC)
# What XML cannot hold, and what a workbook would take for such a thing written out; an underscore
# comes behind the four digits also where what follows them is written out.
_UNFIT = "\0-\x08\x0b-\x1f\ufffe\uffff"
_ESCAPED = re.compile(f"[{_UNFIT}]|_(?=x[0-9a-fA-F]{{4}}[_{_UNFIT}])")
Write = Callable[[int, int, Any], None]


class _PlainSheet(Worksheet):  # type: ignore[misc]
    """A sheet that shows any text as it is, which XlsxWriter's own does of most."""

    @staticmethod
    def _escape_control_characters(data: str | int) -> str | int:
        if isinstance(data, int):  # a boolean cell
            return data
        # XlsxWriter's passes over escapes that share an underscore.
        return _ESCAPED.sub(lambda one: f"_x{ord(one[0]):04X}_", data)

    def _xml_rich_inline_string(self, string: str, attributes: list[tuple[str, Any]]) -> None:
        # XlsxWriter takes a text such as <r>…</r> for markup of its own.
        self._xml_inline_string(string, True, attributes)


@dataclass
class _Cuts:
    """Which cells were too long; the first of them by their places."""

    count: int = 0
    places: list[str] = field(default_factory=list)

    def add(self, row: int, column: int) -> None:
        self.count += 1
        if len(self.places) < _SHOWN_CUTS:
            self.places.append(f"Data!{xl_rowcol_to_cell(row, column)}")


def write_workbook(table: Table, scratch: Path) -> Iterator[bytes]:
    """Yield a workbook with one sheet, and a second one if cells had to be cut.

    A control character is written as ``_xHHHH_``, which Excel shows as that character; numbers have
    at most 16 digits.

    Parameters
    ----------
    table : Table
    scratch : Path
        A folder for what does not fit into memory; a few times as large as the workbook.

    Raises
    ------
    FieldInvalid
        When there are more lines or columns than a sheet can have.
    """
    _refuse_too_large(table)
    # Sent at once: a client that goes away is noticed only after its answer has begun.
    yield _FIRST_BYTES
    path = scratch / "workbook.xlsx"
    options = {"constant_memory": True, "tmpdir": str(scratch), "use_zip64": True}
    with xlsxwriter.Workbook(path, options) as workbook:
        workbook.set_properties({"created": _CREATED})
        cuts = _fill(workbook.add_worksheet("Data", _PlainSheet), table)
        if cuts.count:
            _fill_notes(workbook.add_worksheet("Notes"), cuts)
    with path.open("rb") as whole:
        whole.seek(len(_FIRST_BYTES))
        while piece := whole.read(_PIECE_BYTES):
            yield piece


def _refuse_too_large(table: Table) -> None:
    other = "ask for file_type=csv or parquet"
    if table.row_count is not None and table.row_count >= MAX_LINES:
        message = f"A sheet of Excel has at most {MAX_LINES:,} lines, its header included; {other}."
        raise FieldInvalid(message, field="file_type")
    if len(table.names) > MAX_COLUMNS:
        message = f"A sheet of Excel has at most {MAX_COLUMNS:,} columns; {other}."
        raise FieldInvalid(message, field="file_type")


def _fill(sheet: Worksheet, table: Table) -> _Cuts:
    """Write the whole table and return what of it was cut."""
    cuts = _Cuts()

    def write_text(row: int, column: int, text: str) -> None:
        if sheet.write_string(row, column, text) != 0:
            cuts.add(row, column)

    sheet.freeze_panes(1, 0)
    for column, name in enumerate(table.names):
        write_text(0, column, name)
    writes = [_write_of(sheet, kind, write_text) for kind in table.schema.types]
    row = 1
    for batch in table.batches:
        for line in zip(*map(to_values, batch.columns), strict=True):
            for column, (write, value) in enumerate(zip(writes, line, strict=True)):
                if value not in (None, ""):
                    write(row, column, value)
            row += 1
    return cuts


def _write_of(sheet: Worksheet, kind: pa.DataType, write_text: Write) -> Write:
    """Return what writes a cell of this type."""
    if pa.types.is_string(kind):
        return write_text
    write: Write = sheet.write_boolean if pa.types.is_boolean(kind) else sheet.write_number
    return write


def _fill_notes(sheet: Worksheet, cuts: _Cuts) -> None:
    said = (
        f"{cuts.count:,} cells were longer than {MAX_CELL_CHARS:,} characters, the most that a cell"
        " of Excel can hold; of these, the end is missing. The other file types have them whole.",
        *cuts.places,
        *(["and more"] if cuts.count > len(cuts.places) else []),
    )
    for row, text in enumerate(said):
        sheet.write_string(row, 0, text)
