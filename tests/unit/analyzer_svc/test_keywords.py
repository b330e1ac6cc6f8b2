from hypothesis import given
from hypothesis import strategies as st

from analyzer_svc.clusters import ClusterTexts, LabelSource
from analyzer_svc.keywords import choose_keywords, name_clusters
from analyzer_svc.labels import DistinctLabels
from gateway.terms import count_terms


def name(*groups):
    labels = [index for index, texts in enumerate(groups) for _ in texts]
    counts = count_terms([text for texts in groups for text in texts], labels, len(groups))
    clusters = [
        ClusterTexts(index, len(texts), (), counts[index]) for index, texts in enumerate(groups)
    ]
    return name_clusters(clusters, DistinctLabels())


LOST = ["I lost my card", "my card was stolen", "lost card please help", "the card is lost"]
RATE = ["what exchange rate do I get", "the exchange rate is wrong", "exchange rate today"]


def test_labels_say_what_the_rows_are_about_without_function_words():
    lost, rate = name(LOST, RATE)
    assert {"card", "lost"} <= set(lost.label.lower().split(", "))
    assert rate.label.startswith("Exchange rate")
    assert not {"the", "my", "is", "i", "do"} & set(lost.keywords + rate.keywords)
    assert lost.label_source is LabelSource.KEYWORDS


def test_labels_have_two_to_four_words_where_the_rows_have_them():
    for analysis in name(LOST, RATE, ["direct debit refused"] * 3 + ["gift voucher expired"] * 2):
        assert 2 <= len(analysis.label.replace(",", "").split()) <= 4


def test_description_is_one_sentence_of_the_keywords():
    _, rate = name(LOST, ["exchange rate", "exchange rate wrong", "exchange rate currency"])
    assert rate.description.startswith("Rows about exchange rate")
    assert rate.description.endswith(".")
    assert " and " in rate.description


def test_clusters_of_the_same_words_get_distinct_labels():
    analyses = name(*[["refund card payment fee delay"] * 3] * 4)
    assert len({analysis.label.casefold() for analysis in analyses}) == 4


def test_a_cluster_without_words_is_named_by_its_number():
    empty, lost = name(["123 456", "!!!"], LOST)
    assert (empty.label, empty.keywords) == ("Cluster 0", ())
    assert empty.label_source is LabelSource.GENERIC
    assert lost.label_source is LabelSource.KEYWORDS


def test_function_words_are_used_where_there_is_nothing_else():
    assert name(["it is what it is"])[0].label_source is LabelSource.KEYWORDS


def test_forms_of_one_word_are_not_said_twice():
    keywords = name(["refund refunded refunds payment"] * 3, RATE)[0].keywords
    assert sum(keyword.startswith("refund") for keyword in keywords) == 1


def test_a_pair_that_only_happens_to_meet_is_no_keyword():
    counts = {"card": 100, "tuesday": 50, "card tuesday": 2}
    weights = {"card tuesday": 0.9, "card": 0.5, "tuesday": 0.3}
    assert choose_keywords(counts, weights) == ("card", "tuesday")


def test_pieces_of_unspaced_words_are_joined():
    ai, poem = name(["人工智能很好", "学习人工智能"] * 3, ["春风"] * 3)
    assert ai.keywords[0] == "人工智能"
    assert poem.label == "春风"


def test_thai_is_named_by_more_than_fragments():
    assert name(["กรุงเทพ สวย", "รัก กรุงเทพ"] * 3, ["หมา"] * 3)[0].keywords[0] == "กรุงเทพ"


def test_hostile_terms_are_shown_harmless():
    counts = {"=cmd()": 9, "<img src=x>": 8, "\u202eevil\x00": 7}
    (analysis,) = name_clusters([ClusterTexts(0, 9, (), counts)], DistinctLabels())
    assert not set("<>\x00\u202e") & set(analysis.label + "".join(analysis.keywords))
    assert not analysis.label.startswith("=")


def test_terms_as_long_as_a_row_are_no_names():
    assert choose_keywords({"x" * 500: 9, "card": 1}, {"x" * 500: 0.9, "card": 0.1}) == ("card",)


@given(st.lists(st.dictionaries(st.text(min_size=1, max_size=30), st.integers(1, 9)), max_size=8))
def test_any_counts_give_every_cluster_a_distinct_label_on_one_line(all_counts):
    clusters = [ClusterTexts(n, 1, (), counts) for n, counts in enumerate(all_counts)]
    analyses = name_clusters(clusters, DistinctLabels())
    assert len({analysis.label.casefold() for analysis in analyses}) == len(clusters)
    for analysis in analyses:
        assert 1 <= len(analysis.label) <= 80
        assert (
            analysis.label.isprintable() or "\u200c" in analysis.label or "\u200d" in analysis.label
        )
        assert 1 <= len(analysis.description) <= 300
        assert len(analysis.keywords) <= 10
