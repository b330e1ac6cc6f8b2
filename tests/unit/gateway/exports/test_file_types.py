"""Every file type holds the cells as they came, hostile ones too, and Level's columns."""

import csv
import io
import json
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

from gateway.exports import (
    ExportOptions,
    from_excel_profile,
    read_excel_profile,
    to_excel_profile,
)
from gateway.tables import Dialect

from .conftest import (
    ALL,
    DIMENSIONS,
    HEADER,
    HOSTILE,
    Datasets,
    cells_of,
    hostile_rows,
    planned,
    workbook,
)

CELLS = st.sampled_from(HOSTILE) | st.text(
    st.sampled_from("=+-@'\"\t\r\n\0,;_x0D<>&é好\U0001f600\u2028")
    | st.characters(exclude_categories=["Cs"]),
    max_size=6,
)


def parquet(data: bytes) -> pa.Table:
    return pq.read_table(pa.BufferReader(data))


def records(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))


def test_weighted_csv_is_the_file_plus_one_column(hostile):
    exported = records(hostile.export())
    assert [row[:-1] for row in exported] == [HEADER, *hostile_rows()]
    assert exported[0][-1] == "level_weight"
    assert np.mean([float(row[-1]) for row in exported[1:]]) == pytest.approx(1)


def test_all_columns_in_csv(hostile):
    exported = records(hostile.export(columns="all"))
    assert exported[0] == [*HEADER, *ALL]
    assert [row[: len(HEADER)] for row in exported[1:]] == hostile_rows()
    first = dict(zip(ALL, exported[2][len(HEADER) :], strict=True))
    assert first["cluster_id"] == "0"
    assert first["cluster_label"] == "=HYPERLINK(1)"
    assert exported[3][len(HEADER) + 1] == 'a "b", c\n'
    assert exported[1][len(HEADER) + 1] == "noise"
    assert first["row_id"] == "1"
    assert first["is_exemplar"] in ("true", "false")


def test_parquet_holds_every_cell_as_text_and_types_for_our_own(hostile):
    table = parquet(hostile.export(file_type="parquet", columns="all", embedding=True))
    assert table.schema.names == [
        "text", "weight", "sample_weight", "copies", "text_2", "column_6", HEADER[-1], *ALL,
        "embedding",
    ]  # fmt: skip
    own = [table.column(position).to_pylist() for position in range(len(HEADER))]
    assert [list(row) for row in zip(*own, strict=True)] == hostile_rows()
    types = {name: str(table.schema.field(name).type) for name in [*ALL, "embedding"]}
    assert types == {
        "cluster_id": "int32",
        "cluster_label": "string",
        "cluster_membership_prob": "float",
        "level_sample_weight": "double",
        "level_copies": "int32",
        "near_dup_group": "int32",
        "is_exemplar": "bool",
        "projection_x": "float",
        "projection_y": "float",
        "row_id": "int64",
        "embedding": f"fixed_size_list<element: float>[{DIMENSIONS}]",
    }
    vectors = np.load(hostile.folder / "vectors.npy")
    assert np.array_equal(np.stack(table.column("embedding").to_numpy()), vectors)
    about = json.loads(table.schema.metadata[b"level"])
    assert about == {"columns": HEADER, "added_columns": [*ALL, "embedding"]}


def test_json_lines_hold_every_cell_as_text(hostile):
    data = hostile.export(file_type="jsonl", columns="all", embedding=True)
    lines = [json.loads(line) for line in data.decode().splitlines()]
    assert len(data.split(b"\n")) == len(lines) + 1
    assert [list(line.values())[: len(HEADER)] for line in lines] == hostile_rows()
    vectors = np.load(hostile.folder / "vectors.npy")
    assert np.array_equal(np.array([line["embedding"] for line in lines], np.float32), vectors)
    assert {type(line["level_sample_weight"]) for line in lines} == {float}


def test_the_same_export_is_the_same_bytes(hostile):
    for file_type in ("csv", "parquet", "jsonl", "xlsx", "zip"):
        assert hostile.export(file_type=file_type) == hostile.export(file_type=file_type)


def test_lists_of_clusters_in_every_file_type(hostile):
    for kind in ("clusters", "layers"):
        lines = records(hostile.export(format=kind))
        table = parquet(hostile.export(format=kind, file_type="parquet"))
        assert table.schema.names == lines[0]
        assert table.num_rows == len(lines) - 1
        objects = hostile.export(format=kind, file_type="jsonl").decode().splitlines()
        assert list(json.loads(objects[0])) == lines[0]
        assert len(workbook(hostile.export(format=kind, file_type="xlsx"))) == len(lines)


# --- the profile for spreadsheets


@given(CELLS)
def test_the_excel_profile_takes_back_what_it_gives(cell):
    shown = to_excel_profile(cell)
    assert from_excel_profile(shown) == cell
    assert shown[:1] not in set("=+-@\t\r\n\0＝＋－＠") - {""}


def test_the_excel_profile_as_a_file(hostile):
    data = hostile.export(profile="excel")
    assert data.startswith(b"\xef\xbb\xbf")
    back = list(read_excel_profile(data))
    assert [row[:-1] for row in back] == [HEADER, *hostile_rows()]
    assert "'=HYPERLINK(1)" in hostile.export(profile="excel", format="layers").decode()


# --- any cells, any dialect


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6),
    st.sampled_from(["csv", "parquet", "jsonl", "xlsx", "excel"]),
    st.lists(st.integers(0, 3), min_size=6, max_size=6),
    st.booleans(),
)
def test_any_cells_come_back_with_columns_that_do_not_clash(rows, kind, copies, as_balanced):
    header = ["weight", "row_id", "text"]
    written = [[*row, f"some words {index}"] for index, row in enumerate(rows)]
    copies = copies[: len(rows)]
    copies[0] = max(copies[0], 1)
    with tempfile.TemporaryDirectory() as folder:
        dataset = Datasets(Path(folder))(
            cells_of([header, *written]), plan=planned(copies), dialect=Dialect(), text_column="#3"
        )
        options = {"profile": "excel"} if kind == "excel" else {"file_type": kind}
        if as_balanced:
            options |= {"format": "balanced", "repeat": False}
            written = [row for row, count in zip(written, copies, strict=True) if count]
        back = read_back(kind, dataset.export(**options))
    names = ["level_row_id", "copies", "sample_weight"] if as_balanced else ["level_weight"]
    assert back[0] == [*header, *names]
    assert [row[:3] for row in back[1:]] == written


def read_back(kind, data) -> list[list[str]]:
    if kind == "csv":
        return records(data)
    if kind == "excel":
        return list(read_excel_profile(data))
    if kind == "xlsx":
        return [[unescape(str(cell or "")) for cell in row] for row in workbook(data)]
    if kind == "parquet":
        table = parquet(data)
        columns = [column.to_pylist() for column in table.columns]
        return [table.schema.names, *(list(row) for row in zip(*columns, strict=True))]
    lines = [json.loads(line) for line in data.decode().split("\n")[:-1]]
    return [list(lines[0]), *(list(line.values()) for line in lines)]


def test_options_that_differ_are_the_query():
    options = ExportOptions.from_dict(
        {**vars(ExportOptions()), "file_type": "zip", "embedding": True, "layer": 1}
    )
    assert options.to_query() == {
        "format": "weighted",
        "file_type": "zip",
        "embedding": "true",
        "layer": "1",
    }
