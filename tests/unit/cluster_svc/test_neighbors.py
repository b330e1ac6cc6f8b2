import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_svc.neighbors import approximate_neighbors, exact_neighbors, search_block
from cluster_svc.neighbors.exact import _disjoint_pairs
from cluster_svc.neighbors.forest import even_leaves, grow_tree
from cluster_svc.neighbors.ranking import candidate_count, cosine_distance, rank_candidates
from cluster_svc.vectors import normalize_rows


def units_of(count, dimensions, seed=0):
    chance = np.random.default_rng(seed)
    return normalize_rows(chance.normal(size=(count, dimensions)).astype(np.float32))


def near_duplicates(count, dimensions, seed=0):
    """Rows that matrix products in float32 cannot tell apart, and some that they can."""
    chance = np.random.default_rng(seed)
    noise = chance.normal(size=(count, dimensions)) * 10.0 ** chance.uniform(-6, 0, (count, 1))
    return normalize_rows((chance.normal(size=dimensions) + noise).astype(np.float32))


def nearest_in_float64(units, k):
    doubles = units.astype(np.float64)
    squares = np.square(doubles[:, None] - doubles[None]).sum(axis=2) / 2
    np.fill_diagonal(squares, np.inf)
    return np.sort(squares, axis=1)[:, :k]


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 700), st.integers(1, 12), st.integers(1, 30), st.integers(0, 100), st.data())
def test_blocks_of_queries_give_what_the_whole_search_gives(count, dimensions, k, seed, data):
    k = min(k, count - 1)
    units = near_duplicates(count, dimensions, seed)
    indices, distances = exact_neighbors(units, k, thread_count=2)
    start = data.draw(st.integers(0, count - 1))
    stop = data.draw(st.integers(start + 1, count))
    found, gaps = search_block(units, start, stop, k)
    assert (found == indices[start:stop]).all()
    assert (gaps == distances[start:stop]).all()


@pytest.mark.parametrize("units", [near_duplicates(400, 5), units_of(400, 30), units_of(400, 2)])
def test_distances_are_the_nearest_to_the_last_digits(units):
    indices, distances = exact_neighbors(units, 20)
    np.testing.assert_allclose(distances, nearest_in_float64(units, 20), rtol=1e-5, atol=1e-12)
    assert (distances[:, 1:] >= distances[:, :-1]).all()
    assert (indices != np.arange(len(units))[:, None]).all()


def test_exact_search_is_the_same_for_any_number_of_threads():
    units = near_duplicates(1_700, 16)
    indices, distances = exact_neighbors(units, 15)
    others = exact_neighbors(units, 15, thread_count=3)
    assert (indices == others[0]).all()
    assert (distances == others[1]).all()


def test_candidates_that_may_lack_a_neighbour_are_not_trusted():
    units = units_of(300, 6)
    expected = exact_neighbors(units, 5)
    wrong = np.tile(np.arange(20, dtype=np.int32), (300, 1))
    unsure = np.full(300, 1, np.float32)
    indices, distances = rank_candidates(units, 0, wrong, unsure, 5)
    assert (indices == expected[0]).all()
    assert (distances == expected[1]).all()
    sure = np.full(300, -np.inf, np.float32)
    assert rank_candidates(units, 0, wrong, sure, 5)[0].max() < 20


def test_own_row_and_gaps_are_no_candidates():
    units = units_of(8, 3)
    candidates = np.array([[-1, 5, 2, 6, -1], [1, 2, 6, -1, 4]], np.int32)
    indices, _ = rank_candidates(units, 5, candidates, np.full(2, -np.inf, np.float32), 2)
    assert 5 not in indices[0]
    assert 6 not in indices[1]
    assert indices.min() >= 0


def test_a_zero_vector_is_at_distance_one():
    units = np.array([[0, 0], [1, 0], [0.6, 0.8]], np.float32)
    assert cosine_distance(units, 0, 1) == 1
    assert cosine_distance(units, 2, 0) == 1
    assert cosine_distance(units, 1, 2) == pytest.approx(0.4)


def test_more_candidates_than_neighbours():
    assert all(candidate_count(k) > k for k in (1, 15, 200))


@pytest.mark.parametrize("count", range(1, 10))
def test_every_pair_of_blocks_is_searched_once_and_alone(count):
    rounds = _disjoint_pairs(count)
    pairs = sorted(tuple(sorted(pair)) for pairs in rounds for pair in pairs)
    assert pairs == [(low, high) for low in range(count) for high in range(low, count)]
    for pairs in rounds:
        blocks = [block for low, high in pairs for block in {low, high}]
        assert len(blocks) == len(set(blocks))


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 3_000), st.integers(2, 400), st.integers(0, 9))
def test_leaves_hold_every_row_once(count, leaf_size, seed):
    units = units_of(count, 4, seed)
    leaves = grow_tree(units, leaf_size, (seed, 1), thread_count=2)
    assert sorted(leaves.order.tolist()) == list(range(count))
    sizes = np.diff(leaves.starts)
    assert sizes.max() <= leaf_size + 1
    assert (leaves.starts == even_leaves(count, leaf_size).starts).all()
    assert (leaves.order == grow_tree(units, leaf_size, (seed, 1)).order).all()


@pytest.mark.parametrize("k", [2, 15, 60])
def test_descent_finds_nearly_all_neighbours(k):
    units = units_of(4_000, 12)
    indices, distances = approximate_neighbors(units, k)
    truth = exact_neighbors(units, k)[1]
    assert (distances <= truth[:, -1:] + 1e-6).mean() > 0.95
    assert (np.diff(distances, axis=1) >= 0).all()
    assert (np.diff(np.sort(indices, axis=1), axis=1) > 0).all()
    assert (indices != np.arange(len(units))[:, None]).all()


def test_descent_is_the_same_for_any_number_of_threads():
    units = units_of(9_000, 8)
    fractions = []
    indices, distances = approximate_neighbors(units, 10, seed=3, report=fractions.append)
    others = approximate_neighbors(units, 10, seed=3, thread_count=3)
    assert (indices == others[0]).all()
    assert (distances == others[1]).all()
    assert fractions == sorted(fractions)
    assert len(fractions) > 20
    assert not (indices == approximate_neighbors(units, 10, seed=4)[0]).all()


@pytest.mark.parametrize(
    "units",
    [near_duplicates(3_000, 2), near_duplicates(3_000, 64), np.repeat(units_of(2, 5), 900, axis=0)],
)
def test_descent_takes_near_and_full_copies(units):
    indices, distances = approximate_neighbors(units, 15)
    assert (indices != np.arange(len(units))[:, None]).all()
    assert (distances <= exact_neighbors(units, 15)[1][:, -1:] + 1e-6).mean() > 0.9
