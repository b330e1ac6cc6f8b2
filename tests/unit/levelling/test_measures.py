"""Every figure of balance, by hand, by the shared vectors, and by what must always hold."""

import json
from math import exp, inf, log, nan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from levelling import (
    Groups,
    InvalidGroup,
    compute_gini_coefficient,
    design_effect,
    effective_clusters,
    effective_sample_size,
    flatness,
    max_repeat,
    measure,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "balance.json").read_text("utf-8"))

sizes_of_clusters = st.lists(st.floats(0, 1e9), min_size=1, max_size=40)


def groups(ids, weights, counts):
    return Groups(np.array(ids, np.int64), np.array(weights, float), np.array(counts, np.int64))


def groups_of(case):
    count = len(case["cluster_sizes"])
    return groups(
        [*range(count), -1],
        [*case["cluster_weights"], case["noise_weight"]],
        [*case["cluster_sizes"], case["noise_count"]],
    )


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_measure_gives_the_figures_of_the_shared_vectors(case):
    balance = measure(groups_of(case))
    tolerance = VECTORS["tolerance"]
    for figure, expected in case["expected"].items():
        assert getattr(balance, figure) == pytest.approx(expected, rel=tolerance, abs=tolerance)


def test_gini_of_two_lopsided_clusters_by_hand():
    # ascending 1, 3: 2 (1*1 + 2*3) / (2*4) - 3/2 = 14/8 - 12/8
    assert compute_gini_coefficient([3, 1]) == pytest.approx(0.25)
    assert flatness([3, 1]) == pytest.approx(0.5)


def test_gini_of_one_to_five_by_hand():
    # 2 (1 + 4 + 9 + 16 + 25) / (5*15) - 6/5 = 110/75 - 90/75
    assert compute_gini_coefficient([4, 1, 5, 3, 2]) == pytest.approx(20 / 75)
    assert flatness([4, 1, 5, 3, 2]) == pytest.approx(1 - 20 / 75 * 5 / 4)


def test_one_cluster_with_everything_has_the_largest_gini_and_no_flatness():
    assert compute_gini_coefficient([0, 9, 0, 0]) == 0.75
    assert flatness([0, 9, 0, 0]) == 0
    assert effective_clusters([0, 9, 0, 0]) == 1


def test_equal_clusters_are_exactly_level():
    sizes = [0.1] * 7
    assert compute_gini_coefficient(sizes) == 0
    assert flatness(sizes) == 1
    assert effective_clusters(sizes) == pytest.approx(7)


@pytest.mark.parametrize("sizes", [[], [4], [0], [0, 0, 0]])
def test_without_inequality_to_measure_the_ground_counts_as_level(sizes):
    assert compute_gini_coefficient(sizes) == 0
    assert flatness(sizes) == 1


def test_effective_clusters_by_hand():
    assert effective_clusters([1, 1, 2]) == pytest.approx(exp(0.5 * log(4) + 0.5 * log(2)))
    assert effective_clusters([]) == 0
    assert effective_clusters([0, 0]) == 0


def test_sample_size_design_effect_and_repeat_by_hand():
    # ten rows at 1, five at 2: (10 + 10)^2 / (10 + 20), N = 15, mean weight 20/15
    weights, counts = [1, 2], [10, 5]
    assert effective_sample_size(weights, counts) == pytest.approx(400 / 30)
    assert design_effect(weights, counts) == pytest.approx(15 * 30 / 400)
    assert max_repeat(weights, counts) == pytest.approx(1.5)


def test_rows_without_weight_are_not_counted_but_make_room_for_repeats():
    balance = measure(groups([0, 1, -1], [0, 1, 1], [100, 50, 50]))
    assert balance.row_count == 100
    assert balance.effective_sample_size == 100
    assert balance.design_effect == 1
    assert balance.max_repeat == 2


def test_groups_of_one_cluster_add_up_to_its_size():
    apart = measure(groups([0, 0, 1], [1, 0.5, 1], [10, 20, 20]))
    assert apart.cluster_count == 2
    assert apart.flatness == 1
    assert apart.row_count == 50


def test_noise_counts_as_rows_and_not_as_a_cluster():
    balance = measure(groups([0, 1, -1], [1, 1, 0.5], [10, 10, 900]))
    assert balance.gini == 0
    assert balance.cluster_count == 2
    assert balance.noise_count == 900
    assert balance.row_count == 920


def test_counts_and_weights_of_rows_give_the_same_as_the_rows_themselves():
    weights, counts = np.array([0.5, 3, 0, 1]), np.array([4, 2, 7, 9])
    rows = np.repeat(weights, counts)
    for figure in (effective_sample_size, design_effect, max_repeat):
        assert figure(rows) == pytest.approx(figure(weights, counts))


@pytest.mark.parametrize("sizes", [[-1, 2], [nan, 1], [inf, 1], [[1, 2]]])
def test_sizes_that_are_none_are_refused(sizes):
    with pytest.raises(InvalidGroup):
        compute_gini_coefficient(sizes)


@pytest.mark.parametrize(
    ("ids", "weights", "counts", "field"),
    [
        ([-2], [1], [1], "cluster_id"),
        ([4], [-1], [1], "weight"),
        ([4], [nan], [1], "weight"),
        ([4], [inf], [1], "weight"),
        ([4], [1], [-1], "row_count"),
    ],
)
def test_groups_that_are_none_are_refused_by_name(ids, weights, counts, field):
    with pytest.raises(InvalidGroup) as caught:
        groups(ids, weights, counts)
    assert caught.value.metadata == {"cluster_id": str(ids[0]), "field": field}


def test_groups_of_different_lengths_are_refused():
    with pytest.raises(InvalidGroup):
        groups([0, 1], [1], [1, 1])
    with pytest.raises(InvalidGroup):
        effective_sample_size([1, 2], [1])


@given(sizes_of_clusters)
def test_figures_stay_in_their_ranges(sizes):
    count = len(sizes)
    assert 0 <= compute_gini_coefficient(sizes) <= 1 - 1 / count
    assert 0 <= flatness(sizes) <= 1
    assert 0 <= effective_clusters(sizes) <= count
    assert 0 <= effective_sample_size(sizes) <= np.count_nonzero(sizes)
    assert design_effect(sizes) >= 1
    assert max_repeat(sizes) >= 1 or not any(sizes)


@given(sizes_of_clusters, st.floats(1e-6, 1e6))
def test_the_unit_does_not_matter(sizes, factor):
    assume(min((size for size in sizes if size), default=1) > 1e-200)
    scaled = np.array(sizes) * factor
    for figure in (compute_gini_coefficient, flatness, effective_clusters, effective_sample_size):
        assert figure(scaled) == pytest.approx(figure(sizes), rel=1e-9, abs=1e-9)


@given(sizes_of_clusters, st.randoms())
def test_the_order_does_not_matter(sizes, random):
    shuffled = random.sample(sizes, len(sizes))
    assert compute_gini_coefficient(shuffled) == compute_gini_coefficient(sizes)
    assert effective_clusters(shuffled) == pytest.approx(effective_clusters(sizes))
    assert effective_sample_size(shuffled) == pytest.approx(effective_sample_size(sizes))


@given(st.lists(st.integers(1, 10_000), min_size=2, max_size=20), st.data())
def test_rows_moved_to_a_smaller_cluster_lower_gini(sizes, data):
    low, high = int(np.argmin(sizes)), int(np.argmax(sizes))
    assume(sizes[high] - sizes[low] >= 2)
    moved = data.draw(st.integers(1, (sizes[high] - sizes[low]) // 2))
    after = list(sizes)
    after[low] += moved
    after[high] -= moved
    assert compute_gini_coefficient(after) < compute_gini_coefficient(sizes)
    assert flatness(after) > flatness(sizes)
    assert effective_clusters(after) > effective_clusters(sizes)
