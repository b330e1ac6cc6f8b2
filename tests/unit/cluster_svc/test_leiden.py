from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from cluster_svc.communities.leiden import find_communities


def random_graph(seed, nodes, density):
    random = np.random.default_rng(seed)
    upper = np.triu(random.random((nodes, nodes)) * (random.random((nodes, nodes)) < density), 1)
    return csr_array((upper + upper.T).astype(np.float32))


def planted_graph(sizes, seed=0, inside=0.3, outside=0.01):
    random = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    chance = np.where(truth[:, None] == truth, inside, outside)
    upper = np.triu(random.random(chance.shape) < chance, 1)
    return csr_array((upper | upper.T).astype(np.float32)), truth


def modularity_by_definition(weights, labels, resolution=1.0):
    dense = weights.toarray().astype(np.float64)
    masses = dense.sum(axis=1)
    if not dense.any():
        return 0.0
    expected = resolution * np.outer(masses, masses) / masses.sum() ** 2 * dense.sum()
    return ((dense - expected) * (labels[:, None] == labels)).sum() / dense.sum()


def best_modularity(weights, resolution):
    """The highest over all partitions, each as the labels of a restricted growth string."""
    best, partitions = -np.inf, [[0]]
    for _ in range(weights.shape[0] - 1):
        partitions = [[*p, label] for p in partitions for label in range(max(p) + 2)]
    for partition in partitions:
        best = max(best, modularity_by_definition(weights, np.array(partition), resolution))
    return best


graphs = st.builds(
    random_graph, st.integers(0, 10_000), st.integers(2, 40), st.sampled_from([0.1, 0.3, 1.0])
)


@settings(max_examples=40, deadline=None)
@given(graphs, st.sampled_from([0.3, 1.0, 3.0]), st.integers(0, 2**32))
def test_communities_are_connected_and_no_worse_than_single_nodes(weights, resolution, seed):
    labels = find_communities(weights, resolution=resolution, seed=seed)
    assert labels.dtype == np.int32
    assert sorted(set(labels)) == list(range(labels.max() + 1))
    for label in range(labels.max() + 1):
        members = np.flatnonzero(labels == label)
        assert connected_components(weights[members][:, members])[0] == 1
    if weights.nnz:
        alone = np.arange(len(labels))
        found = modularity_by_definition(weights, labels, resolution)
        assert found >= modularity_by_definition(weights, alone, resolution) - 1e-6


@settings(max_examples=30, deadline=None)
@given(graphs, st.integers(0, 100))
def test_more_passes_never_lower_the_modularity(weights, seed):
    passes = [find_communities(weights, seed=seed, pass_count=count) for count in (1, 2, 3)]
    qualities = [modularity_by_definition(weights, labels, 1.0) for labels in passes]
    assert all(later >= earlier - 1e-6 for earlier, later in pairwise(qualities))


@settings(max_examples=30, deadline=None)
@given(graphs, st.integers(0, 100))
def test_groups_are_never_joined(weights, seed):
    groups = np.random.default_rng(seed).integers(0, 3, weights.shape[0]).astype(np.int32)
    labels = find_communities(weights, seed=seed, groups=groups, resolution=0.1)
    for label in range(labels.max() + 1):
        assert len(set(groups[labels == label])) == 1


@settings(max_examples=30, deadline=None)
@given(graphs, st.integers(0, 2**32))
def test_a_seed_decides_the_labels(weights, seed):
    first = find_communities(weights, seed=seed)
    np.testing.assert_array_equal(first, find_communities(weights.copy(), seed=seed))
    assert (np.diff(np.unique(first, return_index=True)[1]) > 0).all()


@pytest.mark.parametrize("resolution", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_the_best_of_a_few_seeds_is_the_best_of_all_partitions(seed, resolution):
    weights = random_graph(seed, 8, 0.5)
    runs = [find_communities(weights, resolution=resolution, seed=s) for s in range(10)]
    found = max(modularity_by_definition(weights, labels, resolution) for labels in runs)
    assert found == pytest.approx(best_modularity(weights, resolution), abs=1e-6)


def test_planted_communities_are_found():
    weights, truth = planted_graph([60, 50, 40, 30, 30])
    labels = find_communities(weights)
    np.testing.assert_array_equal(labels, truth)


def test_node_sizes_that_equal_the_strengths_change_nothing():
    weights, _ = planted_graph([30, 30, 20], seed=5, outside=0.1)
    strengths = weights.sum(axis=1)
    expected = find_communities(weights, seed=1)
    found = find_communities(weights, seed=1, node_sizes=7 * strengths)
    np.testing.assert_array_equal(found, expected)


def test_communities_of_a_merged_graph_are_those_of_its_nodes():
    weights, truth = planted_graph([40, 40, 30, 30])
    halves = 2 * truth + np.arange(len(truth)) % 2
    join = csr_array((np.ones(len(truth)), (halves, np.arange(len(truth)))))
    labels = find_communities(csr_array(join @ weights @ join.T))
    np.testing.assert_array_equal(labels, [0, 0, 1, 1, 2, 2, 3, 3])


@pytest.mark.parametrize(
    ("dense", "expected"),
    [
        (np.zeros((0, 0)), []),
        (np.zeros((1, 1)), [0]),
        (np.zeros((4, 4)), [0, 1, 2, 3]),
        (np.diag([1.0, 2.0, 3.0]), [0, 1, 2]),
        (np.ones((6, 6)) - np.eye(6), [0] * 6),
        (np.kron(np.eye(3), np.ones((4, 4)) - np.eye(4)), np.repeat([0, 1, 2], 4)),
    ],
    ids=["no node", "one node", "no edge", "loops only", "complete", "three parts"],
)
def test_degenerate_graphs(dense, expected):
    labels = find_communities(csr_array(dense.astype(np.float32)))
    np.testing.assert_array_equal(labels, np.array(expected, np.int32))
