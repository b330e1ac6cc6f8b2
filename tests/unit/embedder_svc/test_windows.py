from embedder_svc.windows import MAX_BYTES, MAX_ROWS, MAX_WORK_BYTES, TextWindow


def fill(window, byte_count):
    while not window.is_full:
        window.add("", byte_count, False)
    return len(window.texts)


def test_a_window_of_short_texts_ends_by_rows():
    assert fill(TextWindow(0, 256), 1) == MAX_ROWS


def test_a_window_of_usual_texts_ends_by_the_work_they_are():
    assert fill(TextWindow(0, 256), 128) == MAX_WORK_BYTES // 128


def test_what_the_model_does_not_read_is_no_work_but_takes_memory():
    assert fill(TextWindow(0, 256), 2048) == MAX_WORK_BYTES // 1024
    assert fill(TextWindow(0, 256), 256 * 1024) == MAX_BYTES // (256 * 1024)


def test_the_next_window_goes_on_where_this_one_ended():
    window = TextWindow(10, 256)
    window.add("a", 1, False)
    window.add("b", 1, True)
    following = window.next()
    assert (following.first_row_index, following.texts) == (12, [])
    assert window.cut_by_sender == [False, True]
