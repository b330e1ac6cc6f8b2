import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from sklearn.metrics import adjusted_rand_score

from cluster_svc.communities.consensus import (
    default_run_count,
    find_robust_communities,
    weigh_by_agreement,
)
from cluster_svc.communities.leiden import find_communities


def vague_graph(seed, nodes=600, neighbors=8):
    """A nearest-neighbour graph of uniform points: no clear communities."""
    points = np.random.default_rng(seed).random((nodes, 3))
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    nearest = np.argsort(apart, axis=1)[:, 1 : neighbors + 1].ravel()
    heads = np.repeat(np.arange(nodes), neighbors)
    directed = csr_array((np.ones(len(heads), np.float32), (heads, nearest)), shape=(nodes, nodes))
    return csr_array(directed.maximum(directed.T))


def agreement_between_seeds(find, weights):
    labels = [find(weights, seed=seed) for seed in range(4)]
    pairs = [(a, b) for a in range(4) for b in range(a)]
    return np.mean([adjusted_rand_score(labels[a], labels[b]) for a, b in pairs])


def test_seeds_agree_more_than_single_runs_do():
    weights = vague_graph(0)
    robust = agreement_between_seeds(find_robust_communities, weights)
    assert robust > agreement_between_seeds(find_communities, weights) + 0.05


def test_labels_are_the_same_on_any_number_of_threads():
    weights = vague_graph(1)
    expected = find_robust_communities(weights, seed=3)
    for thread_count in (2, 3):
        labels = find_robust_communities(weights, seed=3, thread_count=thread_count)
        np.testing.assert_array_equal(labels, expected)


def test_communities_are_connected_and_progress_rises_to_one():
    weights, fractions = vague_graph(2), []
    labels = find_robust_communities(weights, report=fractions.append)
    assert fractions == sorted(fractions) and fractions[-1] == 1
    for label in range(labels.max() + 1):
        members = np.flatnonzero(labels == label)
        assert connected_components(weights[members][:, members])[0] == 1


@pytest.mark.parametrize(
    ("dense", "expected"),
    [
        (np.zeros((1, 1)), [0]),
        (np.zeros((3, 3)), [0, 1, 2]),
        (np.ones((5, 5)) - np.eye(5), [0] * 5),
        (np.kron(np.eye(2), np.ones((3, 3)) - np.eye(3)), [0, 0, 0, 1, 1, 1]),
    ],
)
def test_degenerate_graphs(dense, expected):
    labels = find_robust_communities(csr_array(dense.astype(np.float32)))
    np.testing.assert_array_equal(labels, np.array(expected, np.int32))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 30), st.integers(1, 6))
def test_agreement_is_the_share_of_runs_that_have_both_ends(seed, nodes, run_count):
    random = np.random.default_rng(seed)
    weights = csr_array(np.triu(random.random((nodes, nodes)), 1).astype(np.float32))
    runs = random.integers(-2, 3, (nodes, run_count)).astype(np.int32)
    runs[runs == -1] = 0
    weighted = weigh_by_agreement(weights, runs, thread_count=2).toarray()
    for a, b in zip(*np.triu_indices(nodes, 1), strict=True):
        both = (runs[a] >= 0) & (runs[b] >= 0)
        share = (runs[a] == runs[b])[both].mean() if both.any() else 0
        assert weighted[a, b] == pytest.approx(weights[a, b] * share, abs=1e-6)


def test_large_graphs_get_fewer_runs():
    counts = [default_run_count(nodes) for nodes in (1, 10_000, 60_000, 1_000_000, 10**8)]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] >= 2
