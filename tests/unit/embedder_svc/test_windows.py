from dataclasses import replace

import pytest

from embedder_svc.windows import (
    MAX_BYTES,
    MAX_ROWS,
    MAX_WORK_BYTES,
    MIN_WORK_BYTES,
    TextWindow,
    read_bytes,
    work_limit,
)

WORK_BYTES = 64 * 1024


def window(first_row_index=0, read=1024):
    return TextWindow(first_row_index, read, WORK_BYTES)


def fill(window, byte_count):
    while not window.is_full:
        window.add("", byte_count, False)
    return len(window.texts)


def test_a_window_of_short_texts_ends_by_rows():
    assert fill(window(), 1) == MAX_ROWS


def test_a_window_of_usual_texts_ends_by_the_work_they_are():
    assert fill(window(), 128) == WORK_BYTES // 128


def test_what_the_model_does_not_read_is_no_work_but_takes_memory():
    assert fill(window(), 2048) == WORK_BYTES // 1024
    assert fill(window(read=100), 256 * 1024) == MAX_BYTES // (256 * 1024)


def test_the_next_window_goes_on_where_this_one_ended():
    first = window(10)
    first.add("a", 1, False)
    first.add("b", 1, True)
    following = first.next()
    assert (following.first_row_index, following.texts, following.work_bytes) == (12, [], 0)
    assert first.cut_by_sender == [False, True]


@pytest.mark.parametrize(
    ("flop_per_token", "device", "expected"),
    [
        (0.0, "cpu", MAX_WORK_BYTES),
        (2.1e7, "cpu", 76_190),
        (6e8, "cuda:0", MAX_WORK_BYTES),
        (1e10, "cuda:0", 40_000),
        (1e10, "cpu", MIN_WORK_BYTES),
    ],
)
def test_a_slower_model_is_answered_for_fewer_texts_at_a_time(
    tiny, flop_per_token, device, expected
):
    info = replace(tiny.info, flop_per_token=flop_per_token, device=device)
    assert work_limit(info) == expected


def test_a_model_reads_four_bytes_a_token_or_all_of_a_text():
    assert read_bytes(256, all_of_it=False) == 1024
    assert read_bytes(256, all_of_it=True) == 256 * 1024
    assert read_bytes(2**18, all_of_it=False) == 256 * 1024
