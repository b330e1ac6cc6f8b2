import csv
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.terms import count_terms, count_terms_of_layers, split_terms, sum_terms


@pytest.fixture
def test_data():
    beside = Path(__file__).parents[4] / "shared" / "data"
    folder = Path(os.environ.get("LEVEL_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip("no test data: set LEVEL_TEST_DATA to the folder of the sample files")
    return folder


def test_words_and_neighbouring_pairs_are_counted_for_each_cluster():
    texts = ["Lost my card", "lost card", "top up"]
    assert count_terms(texts, [0, 0, 1], 2) == [
        {"card": 2, "lost": 2, "lost card": 1, "lost my": 1, "my": 1, "my card": 1},
        {"top": 1, "top up": 1, "up": 1},
    ]


def test_noise_rows_are_passed_over_and_empty_clusters_have_no_terms():
    assert count_terms(["noise", "signal"], [-1, 1], 2) == [{}, {"signal": 1}]


def test_labels_may_be_an_array_and_texts_a_stream():
    texts = (text for text in ["a card", "a fee"])
    assert count_terms(texts, np.array([0, 0], dtype=np.int32), 1)[0]["card"] == 1


@given(
    st.lists(st.tuples(st.text("abc ", max_size=12), st.integers(-1, 5)), min_size=1, max_size=30)
)
def test_layers_are_counted_as_each_alone_and_sums_as_their_parents(rows):
    texts, fine = [text for text, _ in rows], [label for _, label in rows]
    parents = [0, 1, 0, 1, 1, 0]
    coarse = [parents[label] if label >= 0 else -1 for label in fine]
    together = count_terms_of_layers(texts, [fine, coarse], [6, 2])
    assert together == [count_terms(texts, fine, 6), count_terms(texts, coarse, 2)]
    assert sum_terms(together[0], parents, 2) == together[1]


def test_the_most_frequent_terms_of_a_sum_are_kept():
    assert sum_terms([{"a": 2, "b": 1}, {"b": 4, "c": 1}], [0, 0], 1, term_limit=2) == [
        {"b": 5, "a": 2}
    ]


@pytest.mark.parametrize("labels", [[0], [0, 0, 0]])
def test_unequal_numbers_of_texts_and_labels_are_refused(labels):
    with pytest.raises(ValueError, match="zip"):
        count_terms(["one", "two"], labels, 1)


def test_a_label_past_the_last_cluster_is_refused():
    with pytest.raises(ValueError, match="label 1 with 1 clusters"):
        count_terms(["one"], [1], 1)


def test_the_most_frequent_terms_are_kept_and_come_first():
    texts = [" . ".join(f"word{n}" for n in range(k)) for k in range(1, 60)]
    kept = count_terms(texts, [0] * len(texts), 1, term_limit=25)[0]
    assert list(kept) == [f"word{n}" for n in range(25)]
    assert list(kept.values()) == list(range(59, 34, -1))


def test_memory_is_bounded_and_frequent_terms_survive_a_flood_of_rare_ones(monkeypatch):
    monkeypatch.setattr("gateway.terms._TERMS_IN_MEMORY", 100)
    texts = (f"card . rare{n}" for n in range(10_000))
    counted = count_terms(texts, [0] * 10_000, 1, term_limit=20)[0]
    assert next(iter(counted)) == "card"
    assert counted["card"] == 10_000
    assert len(counted) <= 20


def test_terms_that_are_all_as_rare_as_each_other_are_not_all_forgotten(monkeypatch):
    monkeypatch.setattr("gateway.terms._TERMS_IN_MEMORY", 100)
    assert count_terms([f"w{n} . w{n}" for n in range(101)], [0] * 101, 1, term_limit=20)[0]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("The user's card", ["the", "user", "the user", "card", "user card"]),
        ("isn’t it", ["isn't", "it", "isn't it"]),
        ("Not. Over", ["not", "over"]),
        ("12 345 GB 4g", ["gb", "4g", "gb 4g"]),
        ("vitamin c", ["vitamin", "vitamin c"]),
        ("self-made", ["self", "made", "self made"]),
        ("x" * 41 + " short", ["short"]),
        ("re\u00adfund ﬁne Ｆｕｌｌ", ["refund", "fine", "refund fine", "full", "fine full"]),
        ("cafe\u0301", ["café"]),
        ("Straße ΛΟΓΟΣ", ["straße", "λογος", "straße λογος"]),
        ("<b class='x'>tea</b> &amp; me@x.org http://a.b/c www.d.e", ["tea"]),
        ("a\x00b\x1bc\ud800 tea", ["tea"]),
        ("", []),
        ("12 345 !!! 🎉", []),
    ],
)
def test_spaced_scripts_give_words(text, terms):
    assert split_terms(text) == terms


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("मुझे हिन्दी", ["मुझे", "हिन्दी", "मुझे हिन्दी"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("한국어 단어", ["한국어", "단어", "한국어 단어"]),
        ("ሰላም ነው", ["ሰላም", "ነው", "ሰላም ነው"]),
        ("人工智能", ["人工", "工智", "智能"]),
        ("爱", ["爱"]),
        ("春風，明月", ["春風", "明月"]),
        ("私はコーヒーを", ["私", "コーヒー"]),
        ("ありがと", ["あり", "りが", "がと"]),
        ("กรุงเทพ", ["กรุ", "รุง", "งเท", "เทพ"]),
        ("น้ำ", ["น้ำ"]),
        ("用GPT4写", ["用", "gpt4", "写"]),
    ],
)
def test_other_scripts_give_their_own_units(text, terms):
    assert split_terms(text) == terms


@given(st.text(alphabet=st.characters(), max_size=200))
def test_any_text_gives_clean_terms(text):
    for term in split_terms(text):
        assert term == term.strip()
        assert len(term) <= 81
        assert not term.replace(" ", "").isdigit()
        assert {unicodedata.category(c) for c in term} <= {
            *("Ll", "Lo", "Lm", "Lu", "Lt", "Mn", "Mc", "Nd", "Nl", "No", "Zs", "Po", "Cf"),
            # Chinese characters that are newer than this Python.
            "Cn",
        }


@given(st.lists(st.tuples(st.text(max_size=40), st.integers(-1, 3)), max_size=20))
def test_counting_rows_together_equals_adding_up_their_terms(rows):
    counted = count_terms([text for text, _ in rows], [label for _, label in rows], 4)
    for cluster_id in range(4):
        terms = [term for text, label in rows if label == cluster_id for term in split_terms(text)]
        assert counted[cluster_id] == {term: terms.count(term) for term in terms}


@pytest.mark.parametrize("text", ["<" * 20_000, "a" * 20_000 + "@", "&" * 9_000, "'" * 20_000])
def test_hostile_runs_are_read_in_linear_time(text):
    assert len(split_terms(text * 3)) < 20_000


def test_a_file_of_many_scripts_is_counted(test_data):
    with (test_data / "afrisenti_5k.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    languages = sorted({row["lang"] for row in rows})
    counted = count_terms(
        [row["text"] for row in rows],
        [languages.index(row["lang"]) for row in rows],
        len(languages),
    )
    assert all(len(terms) == 1000 for terms in counted[:3])
    assert "ነው" in counted[languages.index("am")]
