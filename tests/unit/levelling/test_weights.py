"""The weights of rows: those of their clusters, mean 1."""

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from levelling import InvalidGroup, max_repeat, row_weights

labels_of_rows = st.lists(st.integers(-1, 9), min_size=1, max_size=60)


def test_rows_take_the_weight_of_their_cluster_scaled_to_mean_one():
    weights = row_weights([0, 0, 1, -1], {0: 0.5, 1: 3}, noise_weight=1)
    # the mean of 0.5, 0.5, 3, 1 is 1.25
    assert weights.tolist() == pytest.approx([0.4, 0.4, 2.4, 0.8])


def test_a_cluster_that_is_not_named_has_weight_one():
    assert row_weights([0, 7, 0, 7], {0: 3}).tolist() == [1.5, 0.5, 1.5, 0.5]


@pytest.mark.parametrize("weight", [0.1, 1, 3, 1e-300, 1e300])
def test_equal_weights_become_exactly_one(weight):
    assert set(row_weights([0, 1, 1, -1], {0: weight, 1: weight}, weight)) == {1.0}


def test_no_rows_have_no_weights():
    assert row_weights([], {0: 2}).shape == (0,)


def test_noise_alone_can_carry_the_weight():
    assert row_weights([0, -1, -1], {0: 0}, 5).tolist() == [0, 1.5, 1.5]


@pytest.mark.parametrize("weight", [-1, nan, inf])
def test_a_weight_that_is_none_is_refused_by_cluster(weight):
    with pytest.raises(InvalidGroup) as caught:
        row_weights([3, 4], {4: weight})
    assert caught.value.metadata["cluster_id"] == "4"


def test_all_rows_at_zero_are_refused():
    with pytest.raises(InvalidGroup, match="above 0"):
        row_weights([0, 1], {0: 0, 1: 0})


@given(labels_of_rows, st.dictionaries(st.integers(0, 9), st.floats(0.001, 1e6)))
def test_the_mean_is_one_and_rows_of_a_cluster_agree(labels, cluster_weights):
    weights = row_weights(labels, cluster_weights)
    assert weights.mean() == pytest.approx(1)
    for cluster_id in set(labels):
        assert len(set(weights[np.array(labels) == cluster_id])) == 1


@given(labels_of_rows, st.dictionaries(st.integers(0, 9), st.floats(0.001, 1e6)))
def test_the_largest_weight_is_the_figure_max_repeat(labels, cluster_weights):
    unscaled = [cluster_weights.get(label, 1.0) for label in labels]
    assert row_weights(labels, cluster_weights).max() == pytest.approx(max_repeat(unscaled))
