from hypothesis import given
from hypothesis import strategies as st

from embedder_svc.texts import MAX_TEXT_BYTES, prepare_text, text_digest

ANY_TEXT = st.text(st.characters(categories=None))


@given(ANY_TEXT)
def test_prepared_text_is_valid_unicode_and_valid_text_is_kept_as_it_is(text):
    prepared, was_cut = prepare_text(text)
    prepared.encode()
    assert not was_cut
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert prepared == text


def test_a_lone_surrogate_becomes_the_replacement_character():
    assert prepare_text("a\ud800b\udc00") == ("a\ufffdb\ufffd", False)


def test_a_pair_of_surrogates_becomes_the_character_it_stands_for():
    assert prepare_text("\ud83d\ude00") == ("\N{GRINNING FACE}", False)


def test_long_text_is_cut_at_256_kib():
    assert prepare_text("x" * (MAX_TEXT_BYTES + 1)) == ("x" * MAX_TEXT_BYTES, True)
    assert prepare_text("x" * MAX_TEXT_BYTES) == ("x" * MAX_TEXT_BYTES, False)


@given(st.integers(0, 3), st.sampled_from("é日\N{GRINNING FACE}"))
def test_a_cut_never_splits_a_character(ascii_count, character):
    text = "x" * ascii_count + character * MAX_TEXT_BYTES
    prepared, was_cut = prepare_text(text)
    assert was_cut and text.startswith(prepared)
    assert MAX_TEXT_BYTES - 3 <= len(prepared.encode()) <= MAX_TEXT_BYTES


@given(ANY_TEXT, ANY_TEXT)
def test_digests_agree_exactly_for_equal_texts(first, second):
    first, second = prepare_text(first)[0], prepare_text(second)[0]
    assert (text_digest(first) == text_digest(second)) == (first == second)
