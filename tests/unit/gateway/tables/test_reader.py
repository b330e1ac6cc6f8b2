"""Rows in are rows out; what is no table is refused with the place in it."""

import json

import pytest

from gateway.tables import (
    EmptyTable,
    HeaderUnusable,
    QuoteNotClosed,
    TableInfo,
    TableLimits,
    TableTooLarge,
    TooFewRows,
    TooManyFields,
    read_texts,
)

LITERALS = [
    "NA", "null", "None", "nan", "", "N/A", "#N/A", "inf", "007", "1e5", "TRUE",
    "12345678901234567890", "0.12345678901234567", "2024-02-30", "  spaces  ", "=1+1", "+1", "-1",
    "@x", "\tx", "\x00", "＝1", "'=", "<script>alert(1)</script>", "\x0b\x85\u2028", "\ufeff",
]  # fmt: skip


def test_cells_stay_the_strings_they_are(read):
    quoted = [cell.replace('"', '""') for cell in LITERALS]
    body = "".join(f'{row},"{cell}"\n' for row, cell in enumerate(quoted))
    table = read(f"id,text\n{body}".encode(), text_column="text")
    assert [row[1] for row in table.rows] == LITERALS


def test_line_feeds_and_returns_inside_quotes_stay(read):
    table = read(b'id,text\r\n1,"a\nb\rc\r\nd"\r\n2,"e ""f"" g"\r\n')
    assert table.rows == [("1", "a\nb\rc\r\nd"), ("2", 'e "f" g')]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_every_line_ending_is_read(read, ending):
    table = read(ending.join(["id,text", "1,one two", "2,three four", ""]).encode())
    assert table.rows == [("1", "one two"), ("2", "three four")]
    assert table.info.line_ending == ending


def test_blocks_that_end_between_return_and_line_feed_make_no_blank_line(read):
    line = b"1," + b"x" * 61 + b"\r\n"  # 65 bytes do not divide a block of 2**20
    table = read(b"id,text\r\n" + line * 40_000)
    assert table.info.row_count == 40_000
    assert table.info.blank_line_count == 0


def test_spans_cover_the_bytes_of_each_record(read):
    data = b'id,text\n1,one\n\n2,"two\nlines"\r\n3,last'
    table = read(data)
    records = [data[start:end] for start, end, _ in table.spans.tolist()]
    assert records == [b"1,one\n", b'2,"two\nlines"\r\n', b"3,last"]


def test_blank_lines_are_no_rows_and_are_counted(read):
    table = read(b"\nid,text\n\n1,one\n\n\n2,two\n\n")
    assert table.info.row_count == 2
    assert table.info.blank_line_count == 5
    assert any("blank lines" in warning for warning in table.info.warnings)


def test_short_records_are_filled_with_empty_cells_and_named(read):
    table = read(b"id,text,label\n1,one two\n2,three,x\n3\n")
    assert table.rows == [("1", "one two", ""), ("2", "three", "x"), ("3", "", "")]
    assert table.info.short_row_count == 2
    assert any("first lines: 2, 4" in warning for warning in table.info.warnings)


def test_long_records_are_refused_with_their_lines(read):
    with pytest.raises(TooManyFields) as caught:
        read(b"a,b,c\n1,2\n1,2,3,4\n1\n1,2,3\n1,2,3,4,5\n")
    assert caught.value.metadata == {"columns": "3", "lines": "3, 6", "field_counts": "4, 5"}


def test_reading_stops_at_the_tenth_long_record(read):
    with pytest.raises(TooManyFields, match="2, 3, 4, 5, 6, 7, 8, 9, 10, 11"):
        read(b"a,b\n" + b"1,2,3\n" * 60_000)


def test_a_title_above_the_header_is_refused(read):
    with pytest.raises(TooManyFields, match="remove titles above the header"):
        read(b"Report of 2024\n\nid,text\n" + b"1,hello\n" * 60)


def test_a_header_without_names_is_refused(read):
    with pytest.raises(HeaderUnusable, match="line 1"):
        read(b",,\na,b,c\n1,2,3\n")


def test_repeated_and_empty_column_names_are_kept(read):
    table = read(b"text,text,,text.1\none,two,three,four\n", text_column="#1")
    assert table.info.columns == ("text", "text", "", "text.1")
    assert table.rows == [("one", "two", "three", "four")]


def test_hostile_column_names_are_kept(read):
    table = read(b"<script>alert(1)</script>,text\n1,hello there\n")
    assert table.info.columns == ("<script>alert(1)</script>", "text")


def test_a_nul_is_kept_in_cell_and_header(read):
    table = read(b"i\x00d,text\n1,hel\x00lo\n2,there is more text\n")
    assert table.info.columns[0] == "i\x00d"
    assert table.rows[0] == ("1", "hel\x00lo")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes"),
        (b"\xef\xbb\xbf", "only a byte order mark"),
        (b"\xff\xfe", "only a byte order mark"),
        (b"\n\r\n\n", "only blank lines"),
        (b"  \n", "only blank lines"),
        (b"id,text\n", "a header but no row"),
        (b"id,text", "a header but no row"),
        (b"\xef\xbb\xbfid,text\r\n", "a header but no row"),
        (b"sep=;\n", "no header"),
    ],
)
def test_a_file_without_rows_is_refused(read, data, message):
    with pytest.raises(EmptyTable, match=message):
        read(data)


@pytest.mark.parametrize("row_count", [1, 2, 3, 49])
def test_fewer_rows_than_needed_are_refused_with_their_number(read, row_count):
    with pytest.raises(TooFewRows) as caught:
        read(b"id,text\n" + b"1,same text\n" * row_count, limits=TableLimits())
    assert caught.value.metadata == {"row_count": str(row_count), "minimum": "50"}


def test_fifty_equal_rows_are_enough(read):
    table = read(b"id,text\n" + b"1,same text\n" * 50, limits=TableLimits())
    assert table.info.row_count == 50
    assert any("fewer than ten different texts" in warning for warning in table.info.warnings)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b'id,text\n1,"one\n2,two\n3,three\n', 2),
        (b'id,text\n1,one\n2,"two', 3),
        (b'id,text\n1,one\n2,"two\n3,"three"\n4,four\n', 3),
        (b'id,text\n1,"fine\nfine"\n2,"two\n3,three\n', 4),
        (b'id,text,more\n1,"closed\nhere","open\n2,b,c\n', 3),
    ],
)
def test_a_quote_never_closed_is_refused_with_its_line(read, data, line):
    with pytest.raises(QuoteNotClosed) as caught:
        read(data)
    assert caught.value.metadata["line"] == str(line)


def test_text_behind_a_closing_quote_in_one_line_is_read_and_counted(read):
    table = read(b'id,text\n1,"Big" Bang\n2,plain text\n3,"quoted, text"\n')
    assert [row[1] for row in table.rows] == ["Big Bang", "plain text", "quoted, text"]
    assert any("behind a closing quote" in warning for warning in table.info.warnings)


@pytest.mark.parametrize(
    ("data", "limits", "message"),
    [
        (b"a,b,c\n1,2,3\n", TableLimits(max_columns=2), "has 3 columns; at most 2"),
        (b"id,text\n" + b"1,x y\n" * 11, TableLimits(max_rows=10), "more than 10 rows"),
        (b"id,text\n1," + b"x" * 101 + b"\n", TableLimits(max_cell_bytes=100), "line 2"),
        ("id,text\n1,{}\n".format("é" * 60).encode(), TableLimits(max_cell_bytes=100), "line 2"),
        (b'id,text\n1,"' + b"x\n" * 60, TableLimits(max_cell_bytes=100), "never closed"),
        (b"n" * 101 + b",text\n1,x\n", TableLimits(max_name_chars=100), "column name in line 1"),
    ],
)
def test_a_table_over_a_limit_is_refused(read, data, limits, message):
    with pytest.raises(TableTooLarge, match=message):
        read(data, limits=limits)


def test_a_million_columns_are_refused_quickly(read):
    with pytest.raises(TableTooLarge, match="1,000,000 columns"):
        read(b",".join([b"c"] * 1_000_000) + b"\n1,2\n")


def test_the_facts_of_a_table_survive_json(read):
    info = read("id;täxt\n1;hällo you\n2\n".encode("cp1252")).info
    assert TableInfo.from_dict(json.loads(json.dumps(info.to_dict()))) == info


def test_texts_are_read_back_by_range_over_row_groups(read):
    table = read(b"id,text\n" + b"".join(b"%d,text %d\n" % (i, i) for i in range(60_000)))
    assert read_texts(table.rows_path, 1, 49_998, 50_002) == [
        f"text {row}" for row in range(49_998, 50_002)
    ]
    assert read_texts(table.rows_path, 0, 59_999) == ["59999"]
    assert read_texts(table.rows_path, 0, 70_000) == []


@pytest.mark.parametrize("ending", [b"\r", b"\r\n"])
def test_a_line_longer_than_a_block_is_one_line(read, ending):
    long_line = b"1," + b"x" * (2**20 - 10) + b" y" * 2**18 + ending
    table = read(
        b"id,text" + ending + long_line + b"2,z z" + ending,
        limits=TableLimits(1, max_cell_bytes=2**22),
    )
    assert [len(row[1]) for row in table.rows] == [len(long_line) - 2 - len(ending), 3]
