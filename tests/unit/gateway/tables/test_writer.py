"""Exports are the upload's own records: read back, they equal the input cell for cell."""

import csv
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gateway.tables import (
    AddedFields,
    Dialect,
    TableError,
    TableLimits,
    free_name,
    read_table,
    weight_name,
    write_extended,
    write_resampled,
    write_weighted,
)

from .conftest import TINY, ReadTable

HEADER = ["id", "text", "weight"]
CELLS = st.text(
    st.sampled_from("ab é,;\t|^:'\"\n\r\x00\\=＝\u2028\x85\x0b好\U0001f600")
    | st.characters(exclude_categories=["Cs"]),
    max_size=8,
)
# Latin-1 is guessed from how accents stand among ASCII, so it needs words.
NARROW_CELLS = st.lists(
    st.sampled_from([*"ab ,;\t|^:'\"\n\r\\=", "café ", "déjà vu "]), max_size=8
).map("".join)


def weighted(table: ReadTable, weights: list[float]) -> bytes:
    return b"".join(write_weighted(table.source, table.spans, table.info, np.array(weights)))


def resampled(table: ReadTable, rows: list[int]) -> bytes:
    return b"".join(write_resampled(table.source, table.spans, table.info, rows))


def test_the_weight_stands_behind_every_record_as_it_came(read):
    data = b'id,"te""xt"\r\n1,"a\nb"\r\n\r\n2,c\n3\r4,"d"'
    table = read(data)
    assert weighted(table, [1.0, 0.1, 2e-7, 3]) == (
        b'id,"te""xt",weight\r\n1,"a\nb",1.0\r\n\r\n2,c,0.1\n3,,2e-07\r4,"d",3.0'
    )


def test_blank_lines_sep_and_mark_stay(read):
    data = "\ufeffsep=;\r\n\r\nid;text\r\n1;one two\r\n\r\n\r\n".encode("utf-16-le")
    table = read(data)
    assert weighted(table, [0.5]).decode("utf-16-le") == (
        "\ufeffsep=;\r\n\r\nid;text;weight\r\n1;one two;0.5\r\n\r\n\r\n"
    )


def test_weights_come_back_as_the_same_number(read):
    weights = np.random.default_rng(0).lognormal(size=200) * 10.0 ** np.arange(-100, 100)
    table = read(b"id,text\n" + b"1,hello you\n" * 200)
    exported = table.read_back(weighted(table, weights.tolist()))
    assert [float(row[2]) for row in exported[1:]] == weights.tolist()


def test_a_wrong_number_of_weights_is_refused(read):
    with pytest.raises(ValueError, match="2 weights for 1 rows"):
        weighted(read(b"id,text\n1,hello\n"), [1.0, 2.0])


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        (["id"], "weight"),
        (["weight"], "level_weight"),
        ([" Weight "], "level_weight"),
        (["ＷＥＩＧＨＴ"], "level_weight"),
        (["wei\u200bght"], "level_weight"),
        (["\ufeffweight\u200b"], "level_weight"),
        (["weight", "LEVEL_WEIGHT"], "level_weight_2"),
        (["weight", "level_weight", "level_weight_2", "weight"], "level_weight_3"),
        (["weights", "level_weight"], "weight"),
    ],
)
def test_the_weight_never_takes_a_name_that_looks_taken(columns, name):
    assert weight_name(columns) == name


@pytest.mark.parametrize(
    ("wanted", "columns", "name"),
    [
        ("copies", ["id"], "copies"),
        ("copies", ["COPIES "], "level_copies"),
        ("row_id", ["row_id", "level_row_id"], "level_row_id_2"),
    ],
)
def test_no_added_column_takes_a_name_that_looks_taken(wanted, columns, name):
    assert free_name(wanted, columns) == name


def test_resampled_rows_come_in_the_order_asked_for(read):
    table = read(b'id,text\n1,"a\nb"\r\n\n2,c d\n3,e f')
    assert resampled(table, [2, 0, 0, 2, 1]) == (
        b'id,text\n3,e f\n1,"a\nb"\r\n1,"a\nb"\r\n3,e f\n2,c d\n'
    )


def test_a_last_record_gets_the_line_ending_of_its_file(read):
    table = read("id\ttext\r\n1\tone\r\n2\ttwo".encode("utf-16"))
    assert resampled(table, [1, 1]).decode("utf-16") == "id\ttext\r\n2\ttwo\r\n2\ttwo\r\n"


def test_exports_come_in_blocks(read):
    table = read(b"id,text\n" + b"1," + b"some words " * 10 + b"\n" + b"2,hello\n" * 40_000)
    assert (
        max(map(len, write_weighted(table.source, table.spans, table.info, np.ones(40_001)))) < 1e6
    )
    blocks = list(write_resampled(table.source, table.spans, table.info, [0] * 40_000))
    assert 3 < len(blocks)
    assert max(map(len, blocks)) < 1.1 * 2**20


@st.composite
def table_files(draw):
    """Draw a table in any encoding, dialect and mixture of line endings, and write it."""
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"]))
    cells = NARROW_CELLS if encoding == "cp1252" else CELLS
    dialect = Dialect(
        draw(st.sampled_from(",;\t|^:")),
        draw(st.sampled_from("\"'")),
        draw(st.sampled_from(["", "\\"])),
    )
    rows = draw(st.lists(st.lists(cells, min_size=1, max_size=3), min_size=1, max_size=8))
    lines = []
    for row in [HEADER, *rows]:
        buffer = io.StringIO(newline="")
        options = dialect.csv_options() | {
            "quoting": draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
            "lineterminator": draw(st.sampled_from(["\n", "\r\n", "\r"])),
            "doublequote": draw(st.booleans()) or not dialect.escape_char,
        }
        csv.writer(buffer, **options).writerow(row)
        lines.append(buffer.getvalue())
    if draw(st.booleans()):
        lines[-1] = lines[-1].rstrip("\r\n") if lines[-1].strip("\r\n") else lines[-1]
    text = "".join(lines)
    return text.encode(encoding, "replace"), encoding, dialect


@settings(max_examples=150, deadline=None)
@given(table_files(), st.data())
def test_exports_read_back_equal_the_input_cell_for_cell(file, data):
    content, encoding, dialect = file
    cells = NARROW_CELLS if encoding == "cp1252" else CELLS
    assume(encoding in {"utf-16", "utf-32"} or content.count(0) < 0.1 * len(content))
    expected = [
        record
        for record in csv.reader(
            io.StringIO(content.decode(encoding), newline=""), **dialect.csv_options()
        )
        if record
    ]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "upload")
        source.write_bytes(content)
        try:
            info = read_table(source, Path(folder), "#2", TINY, dialect=dialect)
        except TableError as error:
            assert error.reason in {"NO_TEXT_COLUMN", "FILE_TYPE_UNSUPPORTED"}
            return
        table = ReadTable(source, Path(folder), info)
        rows = [row + [""] * (3 - len(row)) for row in expected[1:]]
        assert [list(row) for row in table.rows] == rows
        weights = [float(row) + 0.1 for row in range(len(rows))]
        assert table.read_back(weighted(table, weights)) == [
            [*HEADER, "level_weight"],
            *([*row, repr(weight)] for row, weight in zip(rows, weights, strict=True)),
        ]
        labels = data.draw(st.lists(cells, min_size=len(rows), max_size=len(rows)))
        added = AddedFields(("label",), lambda at: [[labels[row] for row in at]])
        extended = b"".join(write_extended(source, table.spans, table.info, added))
        assert [row[3] for row in table.read_back(extended)] == ["label", *labels]
        drawn = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=12))
        assert table.read_back(resampled(table, drawn)) == [
            expected[0], *(expected[1:][row] for row in drawn)
        ]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=300)
    | st.lists(
        st.sampled_from([b"a", b"b c", b",", b";", b"\n", b"\r\n", b"\r", b'"', b"'", b"\\",
                         b"\xe9", b"\x00", b"\t", b" ", "好".encode(), b"\xff\xfe", b"sep=;"]),
        max_size=80,
    ).map(b"".join)
)  # fmt: skip
@example(b"\xef\xbb\xbf")
@example(b'a,b\n"\\')
@example(b"\x00\n\x00\n")
def test_any_bytes_give_a_table_that_comes_back_or_a_table_error(content):
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "upload")
        source.write_bytes(content)
        try:
            info = read_table(source, Path(folder), None, TableLimits(min_rows=1))
        except TableError as error:
            assert error.message
            return
        table = ReadTable(source, Path(folder), info)
        assert source.read_bytes() == content
        exported = weighted(table, [1.5] * info.row_count)
        records = table.read_back(exported)
        rows = [[*row, "1.5"] for row in table.rows]
        assert records[-len(rows) :] == rows
