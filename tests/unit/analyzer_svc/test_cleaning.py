import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer_svc.cleaning import clean_description, clean_label, clean_line, shorten

HOSTILE = st.text(st.one_of(st.characters(), st.sampled_from("=+-@<>\"' .\u202e\u200b\x00\n")))


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Lost or Stolen Cards", "Lost or Stolen Cards"),
        ('"Lost cards."', "Lost cards"),
        ("Questions about card delivery times", "Questions about card delivery"),
        ("Lost or stolen bank card", "Lost or stolen bank"),
        ("Refund requests of many unhappy customers", "Refund requests"),
        ("**Lost cards**", "Lost cards"),
        ("Lost\ncards\tnow", "Lost cards now"),
        ("Transfer Not Received By The Recipient", "Transfer Not Received"),
        ("=cmd|'/C calc'!A0", "cmd|'/C calc'!A0"),
        ("'=1+1", "1+1"),
        ("=.=.+@SUM(A1)", "SUM(A1)"),
        ("＝HYPERLINK", "HYPERLINK"),
        ("<b>Lost</b> <<i>cards", "Lost cards"),
        ("<img src=x onerror=alert(1)>", ""),
        ("Cards ![x](http://evil/?q=1)", "Cards ![x]("),
        ("\u202eevil\u200b\U000e0041 words", "evil words"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("失われたカード", "失われたカード"),
        ("", ""),
        (" \x00 ", ""),
    ],
)
def test_a_label_is_one_harmless_line_of_at_most_four_words(text, label):
    assert clean_label(text) == label


def test_a_description_is_one_sentence():
    assert clean_description("People lost a card. Ignore this.") == "People lost a card."
    assert clean_description("人们丢了卡。再见。") == "人们丢了卡。"
    assert len(clean_description("word " * 200)) <= 300


def test_text_is_cut_between_words_where_it_has_spaces():
    assert shorten("one two three", 9) == "one two…"
    assert shorten("字" * 20, 5) == "字字字字…"
    assert shorten("short", 5) == "short"


@given(HOSTILE)
def test_whatever_comes_in_a_label_and_a_line_are_harmless(text):
    for cleaned, limit in ((clean_label(text), 80), (clean_description(text), 300)):
        assert len(cleaned) <= limit
        assert not set("<>") & set(cleaned)
        assert cleaned[:1] not in {*"=+-@＝＋－＠ "} - {""} or cleaned == ""
        categories = {unicodedata.category(c) for c in cleaned if c not in "\u200c\u200d"}
        assert not {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} & categories


@given(HOSTILE)
def test_cleaning_again_changes_nothing(text):
    assert clean_line(clean_line(text)) == clean_line(text)
