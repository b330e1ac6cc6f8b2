"""Rows in no cluster: how far from one they are, and what each policy leaves of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from levelling.errors import InvalidTarget
from levelling.plans.material import Material
from levelling.plans.noise import apply_noise_policy, centroid_distances, noise_limit
from levelling.plans.pool import fill_pool
from levelling.plans.reasons import Reason
from levelling.request import (
    DuplicateKind,
    DuplicatePolicy,
    LevelRequest,
    NoiseKind,
    NoisePolicy,
)

LABELS = np.array([0, 0, 0, 1, 1, 2, -1, -1, -1, -1], np.int32)
PARENTS = np.array([3, 3, 3, 3, 3, 4, -1, -1, -1, -1], np.int32)
NEAREST = np.array([0, 0, 0, 1, 1, 2, 0, 2, 1, -1], np.int32)
AWAY = np.array([0, 0, 0, 0, 0, 0, 0.1, 0.2, 0.3, np.nan], np.float32)


def material(**changes):
    arrays = {"labels": (LABELS, PARENTS), "nearest": NEAREST, "centroid_distances": AWAY}
    return Material(**{**arrays, **changes})


def test_distances_to_centroids_are_those_of_the_definition():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(20_000, 5)).astype(np.float32)
    centroids = rng.normal(size=(3, 5)).astype(np.float32)
    nearest = rng.choice([4, 7, 9, -1], 20_000).astype(np.int32)
    found = centroid_distances(vectors, centroids, np.array([4, 7, 9]), nearest)
    for row in (0, 1, 8191, 8192, 19_999):
        if nearest[row] == -1:
            assert np.isnan(found[row])
            continue
        one, other = vectors[row], centroids[[4, 7, 9].index(nearest[row])]
        cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
        assert found[row] == pytest.approx(1 - cosine, abs=1e-5)
    assert found.dtype == np.float32


def test_a_vector_of_zeros_is_at_distance_1_and_without_clusters_there_is_no_distance():
    vectors = np.zeros((2, 3), np.float32)
    one = np.ones((1, 3), np.float32)
    found = centroid_distances(vectors, one, np.array([5]), np.array([5, -1], np.int32))
    assert found[0] == 1 and np.isnan(found[1])
    nothing = centroid_distances(vectors, one[:0], np.empty(0, np.int64), np.full(2, -1, np.int32))
    assert np.isnan(nothing).all()


def test_keep_and_drop_leave_all_noise_or_none():
    labels, dropped = apply_noise_policy(material(), NoisePolicy(NoiseKind.KEEP), 0)
    assert labels.tolist() == LABELS.tolist() and not dropped.any()
    labels, dropped = apply_noise_policy(material(), NoisePolicy(NoiseKind.DROP), 0)
    assert dropped.tolist() == (LABELS == -1).tolist()


@pytest.mark.parametrize(
    ("max_distance", "layer", "joined"),
    [
        (None, 0, [0, 2, 1, -1]),
        (0.2, 0, [0, 2, -1, -1]),
        (0, 0, [-1, -1, -1, -1]),
        (0.25, 1, [3, 4, -1, -1]),
    ],
)
def test_noise_within_the_distance_joins_the_nearest_cluster_of_the_layer(
    max_distance, layer, joined
):
    policy = NoisePolicy(NoiseKind.ASSIGN, max_distance=max_distance)
    labels, dropped = apply_noise_policy(material(), policy, layer)
    assert labels[6:].tolist() == joined
    assert labels[:6].tolist() == material().labels[layer][:6].tolist()
    assert not dropped.any()


def test_assigning_noise_says_what_it_needs():
    with pytest.raises(InvalidTarget, match="needs nearest"):
        apply_noise_policy(material(nearest=None), NoisePolicy(NoiseKind.ASSIGN), 0)
    policy = NoisePolicy(NoiseKind.ASSIGN, max_distance=0.1)
    with pytest.raises(InvalidTarget, match="needs centroid distances"):
        apply_noise_policy(material(centroid_distances=None), policy, 0)


@given(
    st.floats(0, 0.9999) | st.just(1.0), st.integers(0, 10_000), st.integers(0, 10_000) | st.none()
)
def test_a_cap_keeps_as_much_noise_as_the_share_allows_and_no_more(share, clustered, budget):
    limit = noise_limit(share, clustered, budget)
    all_kept = limit + clustered if budget is None else min(budget, limit + clustered)
    assert limit <= share * all_kept + 1e-6 or share == 1
    more = limit + 1
    all_kept = more + clustered if budget is None else min(budget, more + clustered)
    assert share == 1 or more > share * all_kept - 1e-6


def test_a_capped_pool_keeps_the_share_and_the_seed_says_which_rows():
    labels = np.where(np.arange(1000) < 600, 0, -1).astype(np.int32)
    request = LevelRequest(noise=NoisePolicy(NoiseKind.CAP, share=0.25), seed=3)
    pool = fill_pool(Material((labels,)), request, 0)
    kept = np.flatnonzero(pool.candidates & (labels == -1))
    assert kept.size == 200
    assert (pool.reasons[~pool.candidates] == Reason.NOISE).all()
    again = fill_pool(Material((labels,)), request, 0)
    assert np.array_equal(pool.reasons, again.reasons)


def test_of_near_duplicates_a_row_in_a_cluster_stays_before_noise():
    groups = np.array([0, 1, 2, 3, 4, 5, 6, 6, 6, 6], np.int32)
    groups[5] = 6
    request = LevelRequest(duplicates=DuplicatePolicy(DuplicateKind.DROP))
    pool = fill_pool(material(near_dup_groups=groups), request, 0)
    assert np.flatnonzero(~pool.candidates).tolist() == [6, 7, 8, 9]
    assert (pool.reasons[6:] == Reason.NEAR_DUPLICATE).all()


def test_discounted_near_duplicates_are_one_unit_in_each_cluster():
    groups = np.array([0, 0, 2, 2, 2, 5, 6, 6, 6, 9], np.int32)
    request = LevelRequest(duplicates=DuplicatePolicy(DuplicateKind.DISCOUNT))
    pool = fill_pool(material(near_dup_groups=groups), request, 0)
    assert pool.count_units().tolist() == [2, 1, 1, 2]
    assert pool.count_rows().tolist() == [3, 2, 1, 4]
    assert pool.row_shares() == pytest.approx([0.5, 0.5, 1, 0.5, 0.5, 1, 1 / 3, 1 / 3, 1 / 3, 1])
    assert np.flatnonzero(pool.heads()).tolist() == [0, 2, 3, 5, 6, 9]


def test_a_policy_on_near_duplicates_says_what_it_needs():
    for duplicates in (
        DuplicatePolicy(DuplicateKind.DROP),
        DuplicatePolicy(DuplicateKind.DISCOUNT),
    ):
        with pytest.raises(InvalidTarget, match="needs near dup groups"):
            fill_pool(material(), LevelRequest(duplicates=duplicates), 0)


def test_a_material_of_arrays_that_differ_in_length_is_refused():
    with pytest.raises(InvalidTarget, match="one entry for each row"):
        material(nearest=NEAREST[:3])
    with pytest.raises(InvalidTarget, match="one entry for each row"):
        Material((LABELS, PARENTS[:3]))
    with pytest.raises(InvalidTarget, match="no rows"):
        Material((LABELS[:0],))
    with pytest.raises(InvalidTarget, match="a layer of clusters"):
        Material(())
    with pytest.raises(InvalidTarget, match="at least one token"):
        material(row_tokens=np.zeros(10, np.int64))
    with pytest.raises(InvalidTarget, match="layers are 0 to 1"):
        material().find_layer(2)
