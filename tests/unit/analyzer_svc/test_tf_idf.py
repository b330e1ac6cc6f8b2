from math import log1p

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer_svc.tf_idf import weigh_terms

COUNTS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 50), max_size=8)


def test_weight_is_class_based_tf_idf_over_shares():
    weights = weigh_terms([{"card": 3, "the": 1}, {"fee": 2, "the": 2}])
    assert weights[0]["card"] == pytest.approx(0.75 * log1p(1 / 0.75))
    assert weights[1]["fee"] == pytest.approx(0.5 * log1p(1 / 0.5))


def test_a_word_as_frequent_everywhere_has_no_weight_in_any_language():
    clusters = [{"的": 10, "猫": 5}, {"的": 20, "狗": 10}, {"的": 2, "鸟": 1}]
    assert [list(weights) for weights in weigh_terms(clusters)] == [["猫"], ["狗"], ["鸟"]]


def test_a_huge_cluster_weighs_its_terms_like_a_small_one():
    huge, small = weigh_terms([{"card": 100_000, "fee": 100_000}, {"loan": 2, "rent": 2}])
    assert huge["card"] == pytest.approx(small["loan"])


def test_a_single_cluster_keeps_all_its_terms():
    assert weigh_terms([{"card": 2, "the": 2}])[0].keys() == {"card", "the"}


def test_no_clusters_and_clusters_without_terms_are_fine():
    assert weigh_terms([]) == []
    assert weigh_terms([{}, {"card": 1}])[0] == {}


@given(st.lists(COUNTS, max_size=6))
def test_weights_are_positive_and_only_of_the_clusters_own_terms(clusters):
    for counts, weights in zip(clusters, weigh_terms(clusters), strict=True):
        assert weights.keys() <= counts.keys()
        assert all(weight > 0 for weight in weights.values())
