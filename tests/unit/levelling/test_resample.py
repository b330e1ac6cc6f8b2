"""Rows drawn in proportion to their weights: how many of each, in which order, and when not."""

from math import inf, nan

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from levelling import InvalidSampling, resample_rows, spread_copies

weights_of_rows = st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 1e3)), min_size=1, max_size=50)


def copies(drawn, row_count):
    return np.bincount(drawn, minlength=row_count)


@pytest.mark.parametrize("weight", [1, 0.1, 7.3])
def test_equal_weights_draw_every_row_exactly_once(weight):
    assert sorted(resample_rows([weight] * 10_007)) == list(range(10_007))


def test_whole_expected_counts_are_met_exactly():
    assert copies(resample_rows([0, 0.5, 1.5, 2]), 4).tolist() in ([0, 0, 2, 2], [0, 1, 1, 2])
    assert copies(resample_rows([1, 2, 3], rows=12), 3).tolist() == [2, 4, 6]


@given(weights_of_rows, st.integers(1, 200), st.integers(0, 2**32))
def test_each_row_is_drawn_its_expected_number_of_times_rounded(weights, rows, seed):
    assume(any(weights))
    drawn = copies(resample_rows(weights, rows, seed), len(weights))
    expected = np.array(weights) * rows / np.sum(weights)
    assert drawn.sum() == rows
    assert (np.abs(drawn - expected) < 1 + 1e-6).all()
    assert (drawn[np.array(weights) == 0] == 0).all()


@given(weights_of_rows, st.integers(1, 5), st.floats(0.01, 1), st.integers(0, 2**32))
def test_the_limit_of_repeats_is_kept_and_the_excess_goes_to_the_others(
    weights, max_repeat, filled, seed
):
    positive = np.count_nonzero(weights)
    assume(positive)
    rows = max(1, int(filled * max_repeat * positive))
    drawn = copies(resample_rows(weights, rows, seed, max_repeat), len(weights))
    assert drawn.sum() == rows
    assert drawn.max() <= max_repeat
    assert (drawn[np.array(weights) == 0] == 0).all()


def test_what_the_limit_takes_from_one_goes_to_the_rest_in_proportion():
    # without a limit 8, 1, 2, 1 of 12; with 3 the other nine are shared 1 : 2 : 1, 4.5 over the
    # limit again, so 3, 3 and the last six to two rows: 3 each
    drawn = copies(resample_rows([80, 10, 20, 10], rows=12, max_repeat=3), 4)
    assert drawn.tolist() == [3, 3, 3, 3]
    drawn = copies(resample_rows([80, 10, 20, 10], rows=8, max_repeat=4), 4)
    assert drawn.tolist() == [4, 1, 2, 1]


def test_the_mean_over_seeds_is_the_expected_count():
    weights = np.array([0.3, 1.7, 2.2, 0.0, 0.8])
    mean = np.mean([copies(resample_rows(weights, 5, seed), 5) for seed in range(2000)], axis=0)
    assert mean == pytest.approx(weights, abs=0.05)


def test_the_same_seed_draws_the_same_rows_and_another_seed_others():
    weights = np.linspace(0.1, 2, 500)
    first = resample_rows(weights, seed=3)
    assert first.dtype == np.int64
    assert np.array_equal(first, resample_rows(weights, seed=3))
    assert not np.array_equal(first, resample_rows(weights, seed=4))


def test_copies_of_a_row_are_spread_through_the_result():
    weights = np.ones(1000)
    weights[:5] = 40
    drawn = resample_rows(weights, rows=1200)
    for row in range(5):
        places = np.flatnonzero(drawn == row)
        even = drawn.size / places.size
        assert np.diff(places).min() > even / 3
        assert np.diff(places).max() < even * 3


def test_weights_of_any_magnitude_are_drawn_from():
    assert copies(resample_rows([1e-300, 3e-300], rows=4), 2).tolist() == [1, 3]
    assert copies(resample_rows([5e-324, 1e300], rows=4, max_repeat=2), 2).tolist() == [2, 2]


def test_more_rows_than_the_limit_allows_are_refused_with_the_number_that_is_allowed():
    with pytest.raises(InvalidSampling, match="at most 6 rows"):
        resample_rows([1, 0, 1, 1], rows=7, max_repeat=2)
    assert resample_rows([1, 0, 1, 1], rows=6, max_repeat=2).size == 6


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"rows": 0}, "rows"),
        ({"rows": -3}, "rows"),
        ({"seed": -1}, "seed"),
        ({"max_repeat": 0}, "max_repeat"),
    ],
)
def test_arguments_out_of_range_are_refused_by_name(arguments, field):
    with pytest.raises(InvalidSampling) as caught:
        resample_rows([1, 2], **arguments)
    assert caught.value.metadata == {"field": field}


@pytest.mark.parametrize("weights", [[], [0, 0], [-1, 2], [nan], [inf, 1], [[1, 2]]])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(InvalidSampling):
        resample_rows(weights)


# --- copies as asked


@given(st.lists(st.integers(0, 5), max_size=40))
def test_every_row_comes_as_often_as_asked(copies):
    rows = spread_copies(copies)
    assert np.bincount(rows, minlength=len(copies)).tolist() == copies


def test_rows_without_repeats_keep_their_order():
    assert spread_copies([1, 0, 1, 1]).tolist() == [0, 2, 3]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_copies_are_equally_far_apart(count):
    copies = np.ones(200, np.int64)
    copies[60] = count
    places = np.flatnonzero(spread_copies(copies) == 60)
    gaps = np.diff([*places, places[0] + copies.sum()])
    assert gaps.min() >= copies.sum() // count - 1


def test_less_than_no_copies_are_refused():
    with pytest.raises(InvalidSampling, match="less than 0"):
        spread_copies([1, -1])
