from hypothesis import given
from hypothesis import strategies as st

from level_rpc.texts import MAX_TEXT_BYTES, prepare_text

ANY_TEXT = st.text(st.characters(categories=None))


@given(ANY_TEXT)
def test_prepared_text_is_valid_unicode_and_valid_text_is_kept_as_it_is(text):
    prepared, encoded, was_cut = prepare_text(text)
    assert encoded == prepared.encode()
    assert not was_cut
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert prepared == text


def test_a_lone_surrogate_becomes_the_replacement_character():
    assert prepare_text("a\ud800b\udc00")[0] == "a\ufffdb\ufffd"


def test_a_pair_of_surrogates_becomes_the_character_it_stands_for():
    assert prepare_text("\ud83d\ude00")[0] == "\N{GRINNING FACE}"


def test_long_text_is_cut_at_256_kib():
    whole = "x" * MAX_TEXT_BYTES
    assert prepare_text(whole + "x") == (whole, whole.encode(), True)
    assert prepare_text(whole) == (whole, whole.encode(), False)


@given(st.integers(0, 3), st.sampled_from("é日\N{GRINNING FACE}"))
def test_a_cut_never_splits_a_character(ascii_count, character):
    text = "x" * ascii_count + character * MAX_TEXT_BYTES
    prepared, encoded, was_cut = prepare_text(text)
    assert was_cut and text.startswith(prepared) and encoded == prepared.encode()
    assert MAX_TEXT_BYTES - 3 <= len(encoded) <= MAX_TEXT_BYTES
