import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from cluster_svc.communities.leiden import find_communities
from cluster_svc.communities.stability import drop_nodes, measure_stability, repeat_on_samples


def jaccard_by_definition(labels, run, counts, cluster):
    rows = (labels >= 0) & (run != -2)
    own = rows & (labels == cluster)
    found = [rows & (run == other) for other in set(run[rows & (run >= 0)])]
    return max([counts[own & other].sum() / counts[own | other].sum() for other in found] or [0])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_stability_is_the_mean_of_the_best_jaccard(seed, nodes):
    random = np.random.default_rng(seed)
    labels = np.unique(random.integers(0, 4, nodes), return_inverse=True)[1].astype(np.int32)
    labels = np.where(random.random(nodes) < 0.1, -1, labels).astype(np.int32)
    counts = random.integers(1, 5, nodes)
    runs = [random.integers(-2, 4, nodes).astype(np.int32) for _ in range(3)]
    found = measure_stability(labels, runs, counts)
    assert ((found >= 0) & (found <= 1)).all()
    for cluster in range(labels.max() + 1):
        seen = [run for run in runs if ((labels == cluster) & (run != -2)).any()]
        each = [jaccard_by_definition(labels, run, counts, cluster) for run in seen]
        assert found[cluster] == pytest.approx(np.mean(each) if each else 0)


def test_clusters_found_again_are_wholly_stable():
    labels = np.array([0, 0, 1, 1, 1, -1], np.int32)
    renamed = np.array([7, -2, 3, 3, 3, 3], np.int32)
    np.testing.assert_array_equal(measure_stability(labels, [labels, renamed]), [1, 1])


def test_clusters_merged_or_turned_to_noise_are_not():
    labels = np.array([0, 0, 0, 1], np.int32)
    merged, noise = np.zeros(4, np.int32), np.full(4, -1, np.int32)
    np.testing.assert_allclose(measure_stability(labels, [merged]), [0.75, 0.25])
    np.testing.assert_allclose(measure_stability(labels, [merged, noise]), [0.375, 0.125])


def test_no_cluster_has_no_stability():
    assert measure_stability(np.full(3, -1, np.int32), [np.zeros(3, np.int32)]).shape == (0,)


def test_clear_clusters_are_more_stable_than_halves_of_one():
    random = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], [40, 40, 80])
    upper = np.triu(random.random((160, 160)) < np.where(truth[:, None] == truth, 0.4, 0.01), 1)
    weights = csr_array((upper | upper.T).astype(np.float32))

    def find(is_present, seed):
        return [find_communities(drop_nodes(weights, is_present), seed=seed)]

    [runs] = repeat_on_samples(find, np.ones(160, np.int64), thread_count=2)
    halves = truth.copy()
    halves[120:] = 3
    stability = measure_stability(halves.astype(np.int32), runs)
    assert stability[:2].min() > 0.95
    assert stability[2:].max() < 0.6


def test_samples_depend_on_the_seed_alone_and_spare_heavy_nodes():
    counts = np.where(np.arange(500) < 250, 1, 50)

    def find(is_present, seed):
        return np.full((2, 500), seed % 1000, np.int32)

    one = repeat_on_samples(find, counts, seed=4, run_count=3)
    two = repeat_on_samples(find, counts, seed=4, run_count=3, thread_count=3)
    np.testing.assert_array_equal(one, two)
    assert np.shape(one) == (2, 3, 500)
    is_absent = np.array(one)[0] == -2
    assert is_absent[:, 250:].sum() == 0
    assert 30 < is_absent[:, :250].sum() < 120
    assert len({run[-1] for run in one[0]}) == 3


def test_dropped_nodes_keep_no_edge():
    weights = csr_array(np.ones((4, 4), np.float32))
    is_present = np.array([True, False, True, True])
    expected = np.outer(is_present, is_present)
    np.testing.assert_array_equal(drop_nodes(weights, is_present).toarray(), expected)
