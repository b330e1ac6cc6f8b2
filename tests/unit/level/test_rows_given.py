"""What an estimator takes as X, and gives back."""

import numpy as np
import pandas as pd
import pytest

from level.rows_given import read_rows_given, take_rows

TABLE = pd.DataFrame({"id": [1, 2, 3], "text": ["a", "b", "c"]}, index=[10, 20, 30])


@pytest.mark.parametrize(
    "given",
    [
        ["a", "b", "c"],
        ("a", "b", "c"),
        np.array(["a", "b", "c"]),
        np.array(["a", "b", "c"], object),
        TABLE["text"],
        TABLE,
    ],
    ids=["list", "tuple", "strings", "objects", "Series", "DataFrame"],
)
def test_texts_are_found_in_all_of_them(given):
    rows = read_rows_given(given)
    assert rows.texts == ["a", "b", "c"]
    assert all(type(text) is str for text in rows.texts)
    assert rows.vectors is None and rows.row_count == 3


def test_an_array_of_numbers_is_vectors():
    rows = read_rows_given(np.eye(3))
    assert rows.texts is None and rows.row_count == 3
    assert rows.vectors.dtype == np.float32


def test_texts_and_vectors_together():
    rows = read_rows_given(["a", "b"], np.eye(2))
    assert rows.texts == ["a", "b"] and rows.vectors.shape == (2, 2)


def test_the_column_can_be_named():
    table = TABLE.assign(other=["x", "y", "z"])
    assert read_rows_given(table, text_column="other").texts == ["x", "y", "z"]
    with pytest.raises(ValueError, match="text_column"):
        read_rows_given(table)
    with pytest.raises(ValueError, match="no column 'none'"):
        read_rows_given(table, text_column="none")


@pytest.mark.parametrize(
    ("given", "embeddings", "error"),
    [
        ([], None, ValueError),
        ("a text", None, ValueError),
        (3, None, ValueError),
        (["a", None], None, TypeError),
        (["a", 3.5], None, TypeError),
        (["a", "b"], np.eye(3), ValueError),
        (["a"], np.array([[np.nan]]), ValueError),
        (["a"], np.array([1.0]), ValueError),
        (np.eye(2), np.eye(2), ValueError),
        (np.zeros((0, 3)), None, ValueError),
        (TABLE[["id"]], None, ValueError),
    ],
)
def test_what_is_no_rows_is_refused(given, embeddings, error):
    with pytest.raises(error):
        read_rows_given(given, embeddings)


def test_rows_come_back_as_what_they_came_as():
    rows = np.array([2, 0, 2])
    assert take_rows(["a", "b", "c"], rows) == ["c", "a", "c"]
    assert take_rows(("a", "b", "c"), rows) == ("c", "a", "c")
    assert take_rows(np.array([1, 2, 3]), rows).tolist() == [3, 1, 3]
    table = take_rows(TABLE, rows)
    assert isinstance(table, pd.DataFrame) and table.index.tolist() == [30, 10, 30]
    assert take_rows(TABLE["id"], rows).tolist() == [3, 1, 3]
