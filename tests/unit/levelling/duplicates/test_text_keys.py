"""Which texts are equal when case, spacing and encoding are set aside, and what a text costs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from levelling.duplicates.text_keys import normalize_text, text_keys
from levelling.tokens import estimate_tokens

any_text = st.text(st.characters(exclude_categories=[]), max_size=30)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is my balance?", "  what is\tmy BALANCE "),
        ("ﬁne", "FINE"),
        ("Straße", "STRASSE"),
        ("cafe\u0301", "CAFÉ"),
        ("zero\u200bwidth", "zerowidth"),
        ("“Quoted.”", "quoted"),
        ("１２３", "123"),
        ("昔人已乘黄鹤去。", "昔人已乘黄鹤去"),
    ],
)
def test_texts_that_a_reader_would_call_equal_have_one_key(one, other):
    assert normalize_text(one) == normalize_text(other)
    keys = text_keys([one, other])
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("order 17", "order 18"),
        ("C", "C++"),
        ("-5 degrees", "5 degrees"),
        ("no, stop", "no stop"),
        ("???", "!!!"),
        ("???", ""),
        ("a b", "ab"),
    ],
)
def test_what_tells_texts_apart_stays(one, other):
    keys = text_keys([one, other])
    assert keys[0] != keys[1]


@given(any_text)
def test_normalising_twice_changes_nothing_more(text):
    assert normalize_text(normalize_text(text)) == normalize_text(text)


@given(st.lists(any_text, max_size=20))
def test_keys_are_equal_exactly_for_equal_normalised_texts(texts):
    keys = text_keys(iter(texts))
    assert keys.dtype == np.int64
    assert keys.shape == (len(texts),)
    normal = [normalize_text(text) for text in texts]
    for row, key in enumerate(keys):
        assert [one == key for one in keys] == [one == normal[row] for one in normal]


def test_keys_are_the_same_in_every_run():
    assert text_keys(["Level", ""]).tolist() == [-1197870687684409572, -5426141060434712860]


def test_tokens_are_estimated_by_bytes_and_never_none():
    tokens = estimate_tokens(["", "abcd", "abcde", "黄鹤", "\ud800"])
    assert tokens.tolist() == [1, 1, 2, 2, 1]
    assert tokens.dtype == np.int64
