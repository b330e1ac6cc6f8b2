import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_svc.fuzzy import fuzzy_graph, membership_weights
from cluster_svc.graph import NeighborGraph


def random_neighbors(seed, nodes, k, power=1):
    """A neighbour graph of random neighbours at random distances, some of them zero or equal."""
    random = np.random.default_rng(seed)
    others = np.array([random.permutation(nodes - 1)[:k] for _ in range(nodes)])
    indices = others + (others >= np.arange(nodes)[:, None])
    distances = np.sort(np.round(random.random((nodes, k)) ** power, 2), axis=1)
    return NeighborGraph(
        np.arange(nodes, dtype=np.int32), indices.astype(np.int32), distances.astype(np.float32)
    )


neighbor_graphs = st.builds(
    lambda seed, nodes, k, power: random_neighbors(seed, nodes, min(k, nodes - 1), power),
    st.integers(0, 10_000),
    st.integers(2, 40),
    st.integers(1, 20),
    st.sampled_from([1, 3, 9]),
)


@settings(max_examples=40, deadline=None)
@given(neighbor_graphs)
def test_directions_are_joined_by_the_probabilistic_sum(graph):
    directed = np.zeros((graph.node_count, graph.node_count))
    np.put_along_axis(directed, graph.indices, membership_weights(graph.distances), axis=1)
    joined = fuzzy_graph(graph, thread_count=2)
    expected = directed + directed.T - directed * directed.T
    np.testing.assert_allclose(joined.toarray(), expected, atol=1e-6)
    assert (joined - joined.T).nnz == 0
    assert joined.has_canonical_format and joined.dtype == np.float32
    assert joined.data.min() > 0 and joined.data.max() <= 1 + 1e-6


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 30))
def test_weights_of_a_node_sum_to_the_logarithm_of_the_neighbor_count(seed, k):
    gaps = np.random.default_rng(seed).uniform(0.05, 1, (20, k))
    distances = np.cumsum(gaps, axis=1).astype(np.float32)
    weights = membership_weights(distances)
    np.testing.assert_allclose(weights.sum(axis=1), np.log2(k), rtol=1e-5)
    np.testing.assert_allclose(weights[:, 0], 1)
    # One bandwidth for the row: any weight gives it back, and the others follow from it.
    beyond = (distances - distances[:, :1]).astype(np.float64)
    largest = weights[:, 1].astype(np.float64)
    expected = largest[:, None] ** (beyond / np.maximum(beyond[:, 1:2], 1e-12))
    is_clear = (largest < 0.999) & (largest > 1e-3)
    np.testing.assert_allclose(weights[is_clear], expected[is_clear], rtol=1e-2, atol=1e-5)


def test_a_bandwidth_is_at_least_a_thousandth_of_the_mean_distance():
    distances = np.array([[0.1, 0.1, 0.1, 0.1, 0.1002, 1.5]], np.float32)
    floor = 1e-3 * distances.mean()
    expected = np.exp(-(distances - distances[0, 0]) / floor)
    np.testing.assert_allclose(membership_weights(distances), expected, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_equal_distances_get_equal_weights(value):
    np.testing.assert_allclose(membership_weights(np.full((5, 4), value, np.float32)), 1)


def test_weights_do_not_depend_on_the_thread_count():
    distances = np.sort(np.random.default_rng(0).random((20_000, 5)), axis=1).astype(np.float32)
    expected = membership_weights(distances)
    np.testing.assert_array_equal(membership_weights(distances, thread_count=3), expected)


def test_one_node_has_an_empty_graph():
    alone = NeighborGraph(
        np.zeros(5, np.int32), np.empty((1, 0), np.int32), np.empty((1, 0), np.float32)
    )
    assert fuzzy_graph(alone).nnz == 0
