"""Delimiters and quotings are found by what makes the records agree."""

import pytest

from gateway.tables import QuoteNotClosed


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", ":"])
def test_each_delimiter_is_found(read, delimiter):
    lines = [f"id{delimiter}text{delimiter}label"]
    lines += [f'{row}{delimiter}"well, it is; a | b"{delimiter}x' for row in range(60)]
    table = read("\n".join(lines).encode())
    assert table.info.dialect.delimiter == delimiter
    assert table.rows[0] == ("0", "well, it is; a | b", "x")


def test_decimal_commas_do_not_make_the_comma_a_delimiter(read):
    table = read(b"name;price;note\n" + b"a pear;1,50;good, cheap\n" * 60)
    assert table.rows[0] == ("a pear", "1,50", "good, cheap")


def test_a_first_line_sep_names_the_delimiter_and_is_no_row(read):
    table = read(b"sep=;\r\nid;text, with comma\r\n" + b"1;one, two\r\n" * 3)
    assert table.info.columns == ("id", "text, with comma")
    assert table.rows == [("1", "one, two")] * 3
    assert table.info.header_end == len(b"sep=;\r\nid;text, with comma\r\n")


def test_a_first_line_sep_behind_a_mark_is_no_row(read):
    table = read("\ufeffsep=|\nid|text\n1|one, two\n".encode("utf-16-le"))
    assert table.rows == [("1", "one, two")]


def test_backslash_escaped_quotes_are_found(read):
    table = read(b"id,text\n" + b'1,"he said \\"go, now\\" twice"\n' * 60)
    assert table.info.dialect.escape_char == "\\"
    assert table.rows[0] == ("1", 'he said "go, now" twice')


def test_a_backslash_before_a_closing_quote_is_a_backslash(read):
    table = read(b"id,text\n" + b'1,"C:\\temp, D:\\"\n' * 60)
    assert table.info.dialect.escape_char == ""
    assert table.rows[0] == ("1", "C:\\temp, D:\\")


def test_single_quotes_are_found(read):
    table = read(b"'id','text'\n" + b"'1','it''s one, or two'\n" * 60)
    assert table.info.dialect.quote_char == "'"
    assert table.rows[0] == ("1", "it's one, or two")


def test_apostrophes_are_no_quotes(read):
    table = read(b"id,text\n" + b"1,'twas the night\n2,don't ask\n3,the dogs'\n" * 20)
    assert table.info.dialect.quote_char == '"'
    assert table.rows[0] == ("1", "'twas the night")


def test_quotes_behind_a_space_are_found(read):
    table = read(b"id, text\n" + b'1, "one, or two"\n' * 60)
    assert table.rows[0] == ("1", "one, or two")


def test_quotes_in_tab_separated_text_that_do_not_match_are_characters(read):
    table = read(b'id\ttext\n1\t"hello there\n2\tsay "what"\n3\t5" wide\n' * 1)
    assert [row[1] for row in table.rows] == ['"hello there', 'say "what"', '5" wide']
    assert any("ordinary characters" in warning for warning in table.info.warnings)


def test_matching_quotes_in_tab_separated_text_are_quotes(read):
    table = read(b"id\ttext\n" + b'1\t"two\nlines"\n' * 5)
    assert table.rows == [("1", "two\nlines")] * 5


def test_prose_in_one_column_is_not_cut_at_commas(read):
    lines = [
        b"text",
        b"Well, hello",
        b"One, two, three",
        b"Nothing here",
        b"Yes; no",
        b"a, b, c, d",
    ]
    table = read(b"\n".join(lines))
    assert table.info.columns == ("text",)
    assert [row[0] for row in table.rows] == [line.decode() for line in lines[1:]]
    assert table.info.dialect.delimiter not in ",;"


def test_an_unclosed_quote_does_not_turn_a_table_into_one_column(read):
    with pytest.raises(QuoteNotClosed):
        read(b'id,text\n1,"one\n' + b"2,two\n" * 60)
