"""A workbook shows every cell as it came: texts, none of them a formula or markup."""

import io
import re
import tempfile
import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

from gateway.exports.sheet import Table
from gateway.exports.workbook import MAX_CELL_CHARS, MAX_LINES, write_workbook
from level_rpc.errors import FieldInvalid

from .conftest import ALL, HEADER, cells_of, hostile_rows, planned, workbook


def test_workbooks_hold_text_and_no_formula(hostile):
    data = hostile.export(file_type="xlsx", columns="all")
    rows = workbook(data)
    assert [unescape(name or "") for name in rows[0]] == [*HEADER, *ALL]
    for shown, cells in zip(rows[1:], hostile_rows(), strict=True):
        assert [unescape(str(one or "")) for one in shown[: len(HEADER)]] == cells
    kinds = {
        cell.data_type
        for row in openpyxl.load_workbook(io.BytesIO(data))["Data"].iter_rows(max_col=len(HEADER))
        for cell in row
    }
    assert kinds <= {"s", "inlineStr", "n"}
    assert "f" not in kinds
    assert isinstance(rows[1][len(HEADER)], int)
    assert isinstance(rows[1][len(HEADER) + 6], bool)


def test_cells_too_long_for_a_workbook_are_cut_and_named(datasets):
    long = "\U0001f600" * MAX_CELL_CHARS
    data = datasets(cells_of([["text", "b"], ["some words", long]])).export(file_type="xlsx")
    assert workbook(data)[1][1] == long[: MAX_CELL_CHARS // 2]
    notes = workbook(data, "Notes")
    assert notes[0][0].startswith("1 cells were longer than 32,767 characters")
    assert notes[1] == ["Data!B2"]


def test_tables_too_large_for_a_workbook_are_refused(datasets):
    plan = planned([MAX_LINES])
    dataset = datasets(cells_of([["text"], ["some words"]]), plan=plan)
    with pytest.raises(FieldInvalid, match="1,048,576 lines"):
        dataset.export(format="balanced", file_type="xlsx")


MARKED = st.lists(
    st.sampled_from(["<r>", "</r>", "_x0041_", "x0041_", "_x005F", "_", "\r", "\n", " ", "=", "&"])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
    min_size=1,
    max_size=6,
).map("".join)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(MARKED | MARKED.map("<r>{}</r>".format), min_size=1, max_size=40))
def test_workbooks_show_any_text_as_it_is(texts):
    sheet = openpyxl.load_workbook(io.BytesIO(workbook_of(texts)))["Data"]
    cells = [row[0] for row in sheet.iter_rows(min_row=2, max_row=1 + len(texts))]
    assert [unescape(cell.value or "") for cell in cells] == texts
    assert {cell.data_type for cell in cells} <= {"s", "inlineStr", "n"}


def workbook_of(texts: list[str]) -> bytes:
    batch = pa.RecordBatch.from_arrays([pa.array(texts, pa.string())], ["text"])
    with tempfile.TemporaryDirectory() as folder:
        pieces = write_workbook(Table(("text",), batch.schema, iter([batch])), Path(folder))
        whole = b"".join(pieces)
        assert [file.name for file in Path(folder).iterdir()] == ["workbook.xlsx"]
    return whole


def test_what_looks_like_markup_of_a_workbook_is_read_without_unescaping():
    assert workbook(workbook_of(["<r><t>x</t></r>"]))[1] == ["<r><t>x</t></r>"]


@pytest.mark.parametrize("end", ["a", "\U0001f600", " "])
def test_the_longest_cell_is_whole_and_a_longer_one_is_cut(end):
    whole = "é" * (MAX_CELL_CHARS - len(end.encode("utf-16-le")) // 2) + end
    longer = f"é{whole}"
    shown = openpyxl.load_workbook(io.BytesIO(workbook_of([whole, longer])))
    units = longer.encode("utf-16-le")[: 2 * MAX_CELL_CHARS]
    assert shown["Data"]["A2"].value == whole
    assert shown["Data"]["A3"].value == units.decode("utf-16-le", "ignore")
    assert [shown["Notes"][place].value for place in ("A2", "A3")] == ["Data!A3", None]


def test_a_workbook_begins_before_its_lines_are_made(tmp_path):
    def no_lines():
        raise AssertionError
        yield

    pieces = write_workbook(
        Table(("text",), pa.schema([("text", pa.string())]), no_lines()), tmp_path
    )
    assert next(pieces) == workbook_of([])[:4]


def test_a_workbook_holds_no_time(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    entries = zipfile.ZipFile(io.BytesIO(workbook_of(["some words"]))).infolist()
    assert {entry.date_time for entry in entries} == {(1980, 1, 31, 0, 0, 0)}
    core = zipfile.ZipFile(io.BytesIO(workbook_of(["some words"]))).read("docProps/core.xml")
    assert set(re.findall(rb"\d{4}-\d\d-\d\dT", core)) == {b"1980-01-01T"}
