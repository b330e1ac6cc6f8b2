import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_svc.membership import measure_memberships
from cluster_svc.neighbors.blas import one_blas_thread
from cluster_svc.statistics import (
    calculate_cluster_stats,
    merge_sums,
    stats_of_sums,
    sum_clusters,
)
from cluster_svc.vectors import normalize_rows


def random_problem(seed, rows, clusters, dimensions=5):
    """Return directions, some of them zero, labels of which every cluster has one, and counts."""
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(rows, dimensions)) * (random.random((rows, 1)) > 0.1)
    labels = random.integers(-1, clusters, rows).astype(np.int32)
    labels[:clusters] = np.arange(clusters)
    return normalize_rows(vectors.astype(np.float32)), labels, random.integers(1, 4, rows)


problems = st.builds(random_problem, st.integers(0, 10**6), st.integers(8, 60), st.integers(1, 8))


@settings(max_examples=40, deadline=None)
@given(problems)
def test_figures_of_nodes_are_those_of_their_rows(problem):
    units, labels, counts = problem
    stats = stats_of_sums(*sum_clusters(units, labels, counts))
    rows, row_labels = np.repeat(units, counts, axis=0), np.repeat(labels, counts)
    for cluster in range(len(stats.sizes)):
        own = rows[row_labels == cluster].astype(np.float64)
        assert stats.sizes[cluster] == len(own)
        gaps = 1 - own @ stats.centroids[cluster]
        assert stats.spreads[cluster] == pytest.approx(gaps.mean(), abs=1e-5)
        mean = own.mean(axis=0)
        length = np.linalg.norm(mean)
        if length > 1e-3:
            np.testing.assert_allclose(stats.centroids[cluster], mean / length, atol=1e-4)
    everything = calculate_cluster_stats(rows, row_labels)
    np.testing.assert_allclose(everything.centroids, stats.centroids, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(problems)
def test_sums_of_a_coarser_layer_are_those_of_its_rows(problem):
    units, labels, counts = problem
    sizes, sums = sum_clusters(units, labels, counts)
    parents = (np.arange(len(sizes)) % 3).astype(np.int32)
    count = int(parents.max()) + 1
    coarse = np.append(parents, np.int32(-1))[labels]
    direct_sizes, direct_sums = sum_clusters(units, coarse, counts)
    merged_sizes, merged_sums = merge_sums(sizes, sums, parents, count)
    np.testing.assert_array_equal(merged_sizes, direct_sizes)
    np.testing.assert_allclose(merged_sums, direct_sums, atol=1e-5)


def test_rows_that_cancel_out_have_no_centroid():
    units = np.array([[1, 0], [-1, 0]], np.float32)
    stats = calculate_cluster_stats(units, np.zeros(2, np.int32))
    assert stats.centroids.tolist() == [[0, 0]]
    assert stats.spreads.tolist() == [1]


@settings(max_examples=40, deadline=None)
@given(problems, st.integers(1, 3))
def test_membership_is_what_its_definition_says(problem, thread_count):
    units, labels, counts = problem
    stats = stats_of_sums(*sum_clusters(units, labels, counts))
    none = np.full(len(labels), -1, np.int32)
    layers = [(labels, stats.centroids), (none, np.empty((0, units.shape[1]), np.float32))]
    found, empty = measure_memberships(units, layers, thread_count=thread_count)
    gaps = np.clip(1 - units.astype(np.float64) @ stats.centroids.T, 0, 2)
    for row, label in enumerate(labels):
        nearest = found.nearest[row]
        assert nearest == label if label >= 0 else gaps[row, nearest] <= gaps[row].min() + 1e-6
        own = gaps[row, nearest]
        other = np.delete(gaps[row], nearest).min() if gaps.shape[1] > 1 else 1.0
        assert found.gaps[row] == pytest.approx(own, abs=1e-5)
        if own + other > 1e-3:
            assert found.strengths[row] == pytest.approx(other / (own + other), abs=1e-3)
    assert (empty.nearest == -1).all() and (empty.strengths == 0).all()


def test_membership_does_not_depend_on_the_number_of_threads():
    units, labels, counts = random_problem(0, 3000, 40, 32)
    centroids = stats_of_sums(*sum_clusters(units, labels, counts)).centroids
    with one_blas_thread():
        one, two = (
            measure_memberships(units, [(labels, centroids)], thread_count=count)[0]
            for count in (1, 2)
        )
    np.testing.assert_array_equal(one.strengths, two.strengths)
    np.testing.assert_array_equal(one.nearest, two.nearest)


def test_stats_are_those_of_directions():
    vectors = np.array([[2, 0], [0, 3], [0, 1], [5, 5]], np.float32)
    stats = calculate_cluster_stats(vectors, np.array([0, 0, 1, -1], np.int32))
    half = np.sqrt(0.5)
    assert stats.sizes.tolist() == [2, 1]
    np.testing.assert_allclose(stats.centroids, [[half, half], [0, 1]], atol=1e-6)
    np.testing.assert_allclose(stats.spreads, [1 - half, 0], atol=1e-6)
