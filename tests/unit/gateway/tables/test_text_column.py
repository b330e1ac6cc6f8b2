"""The column to cluster is the one asked for, or the one that reads like text."""

import pytest

from gateway.tables import NoTextColumn, TextColumnAmbiguous, TextColumnUnknown
from gateway.tables.text_column import (
    RowSample,
    detect_text_column,
    find_text_column,
    profile_column,
)

ROWS = b"".join(
    b"%d,2024-01-%02d,greeting,Hello number %d how are you,https://example.org/%d\n"
    % (row, row % 28 + 1, row, row)
    for row in range(60)
)
TABLE = b"id,date,label,Body Of It,link\n" + ROWS


def test_the_column_of_sentences_is_detected_and_the_reason_said(read):
    info = read(TABLE).info
    assert (info.text_column, info.text_column_name) == (3, "Body Of It")
    assert info.text_column_reason.startswith("detected:")


@pytest.mark.parametrize("name", ["label", " LABEL ", "Label", "#3"])
def test_a_name_is_found_as_it_came_or_nearly(read, name):
    assert read(TABLE, text_column=name).info.text_column == 2


def test_an_exact_name_wins_over_one_that_is_alike():
    assert find_text_column(["Text", "text", "TEXT "], "text").position == 1


def test_an_unknown_name_lists_the_columns(read):
    with pytest.raises(TextColumnUnknown, match='"id", "date", "label", "Body Of It", "link"'):
        read(TABLE, text_column="nope")


@pytest.mark.parametrize("name", ["#0", "#6", "#", ""])
def test_a_position_out_of_range_is_unknown(name):
    with pytest.raises(TextColumnUnknown):
        find_text_column(["a", "b", "c", "d", "e"], name)


def test_a_repeated_name_asks_for_the_position():
    with pytest.raises(TextColumnAmbiguous, match="#1 and #3"):
        find_text_column(["text", "id", "text"], "text")


def test_repeated_names_do_not_hinder_detection(read):
    assert read(b"text,text\n" + b"1,hello there you\n" * 9).info.text_column == 1


def test_numbers_alone_are_refused_with_the_way_out(read):
    with pytest.raises(NoTextColumn, match=r'"a", "b".*text_column'):
        read(b"a,b\n" + b"1.5,-3\n$2.00,4%\n1e5,NA\n" * 20)


def test_a_column_of_numbers_is_taken_when_asked_for(read):
    assert read(b"a,b\n" + b"1,2\n" * 9, text_column="b").info.text_column == 1


@pytest.mark.parametrize("name", [None, "text"])
def test_texts_that_are_all_blank_are_refused(read, name):
    with pytest.raises(NoTextColumn):
        read(b"id,text\n" + b"1,\n2,   \n" * 30, text_column=name)


def test_blank_texts_are_counted(read):
    info = read(b"id,text\n" + b"1,hello there\n2,  \n" * 30).info
    assert info.blank_text_count == 30
    assert "30 rows have no text in the text column." in info.warnings


@pytest.mark.parametrize("cell", ["x", "\U0001f600\U0001f680", "\u597d"])
def test_one_character_or_emoji_are_text(read, cell):
    assert read(f"n,t\n{f'1,{cell}'}\n".encode() + f"2,{cell}\n".encode() * 9).info.text_column == 1


def test_of_many_text_columns_one_is_detected(read):
    header = ",".join(f"t{column}" for column in range(50))
    line = ",".join(f"some words {column}" for column in range(50))
    data = "\n".join([header, *[line] * 60])
    assert read(data.encode()).info.text_column_reason


def test_longer_text_wins_over_shorter_and_names_tip_the_balance():
    rows = [
        [f"a title here {row}", f"the abstract is much longer than that {row}"] for row in range(60)
    ]
    assert detect_text_column(["title", "x"], rows).position == 1
    twins = [[f"words and words {row}", f"words and words {row}"] for row in range(60)]
    assert detect_text_column(["something", "message"], twins).position == 1


def test_a_rare_long_note_does_not_win_over_a_full_column():
    rows = [
        [f"a message of some words {row}", "a very long note " * 9 if row == 7 else ""]
        for row in range(100)
    ]
    assert detect_text_column(["v2", ""], rows).position == 0


def test_texts_without_spaces_have_words():
    assert profile_column(["我的银行卡在哪里"]).mean_words > 4


def test_a_sample_is_spread_over_the_whole_table():
    sample = RowSample(column_count=2)
    for row in range(100_000):
        sample.add([str(row), "x" * 5_000])
    numbers = [int(row[0]) for row in sample.rows]
    assert 1_900 <= len(numbers) <= 4_000
    assert numbers[0] == 0
    assert numbers[-1] > 95_000
    assert len(sample.rows[0][1]) == 2_000
