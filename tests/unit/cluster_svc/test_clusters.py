import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cluster_svc.clusters import (
    Stage,
    calculate_cluster_stats,
    rank_by_size,
    run_clustering,
    sample_all_clusters,
)
from cluster_svc.errors import TooFewRows
from cluster_svc.graph import build_graph
from cluster_svc.registry import ALGORITHMS
from cluster_svc.vectors import normalize_rows
from level_rpc.errors import FieldInvalid

random = np.random.default_rng(0)

DEGENERATE = {
    "one row": np.ones((1, 8)),
    "all rows equal": np.ones((60, 8)),
    "all rows zero": np.zeros((60, 8)),
    "two rows": np.eye(2, 8),
    "two distinct rows": np.repeat(np.eye(2, 8), 30, axis=0),
    "fewer rows than neighbours": random.normal(size=(9, 8)),
    "zero rows among others": np.where(np.arange(60)[:, None] % 6, random.normal(size=(60, 8)), 0),
    "nine in ten copied": np.concatenate([random.normal(size=(40, 8)), np.ones((360, 8))]),
    "two dimensions": random.normal(size=(120, 2)),
    "one dimension": random.normal(size=(60, 1)),
    "4096 dimensions": random.normal(size=(60, 4096)),
    "opposite rows": np.repeat([[1.0, 0], [-1.0, 0]], 30, axis=0),
}


def check_invariants(clustering, rows):
    sizes = clustering.stats.sizes
    assert sizes.sum() + clustering.noise_count == rows
    np.testing.assert_array_equal(
        sizes, np.bincount(clustering.labels[clustering.labels >= 0], minlength=len(sizes))
    )
    assert (sizes > 0).all()
    assert (np.diff(sizes) <= 0).all()
    first = [int((clustering.labels == cluster).argmax()) for cluster in range(len(sizes))]
    for left in range(len(sizes) - 1):
        assert sizes[left] > sizes[left + 1] or first[left] < first[left + 1]
    clustered = clustering.labels >= 0
    np.testing.assert_array_equal(clustering.nearest[clustered], clustering.labels[clustered])
    assert (clustering.nearest >= 0).all() == (len(sizes) > 0)
    assert ((clustering.strengths >= 0) & (clustering.strengths <= 1)).all()
    for cluster, exemplars in enumerate(clustering.exemplars):
        assert 1 <= len(exemplars) == len(set(exemplars.tolist())) <= 5
        assert (clustering.labels[exemplars] == cluster).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", DEGENERATE)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_degenerate_rows_are_clustered(name, algorithm):
    vectors = DEGENERATE[name].astype(np.float32)
    check_invariants(run_clustering(vectors, algorithm), len(vectors))


@settings(max_examples=40, deadline=None)
@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 50), st.integers(1, 3)),
        elements=st.integers(-3, 3).map(float),
    ),
    st.sampled_from(["auto", "communities", "dbscan", "hdbscan"]),
)
def test_any_rows_are_clustered(vectors, algorithm):
    check_invariants(run_clustering(vectors, algorithm), len(vectors))


def test_no_rows_are_refused():
    with pytest.raises(TooFewRows):
        run_clustering(np.empty((0, 4), np.float32))


def test_copies_form_one_cluster_whatever_surrounds_them():
    vectors = DEGENERATE["nine in ten copied"].astype(np.float32)
    labels = run_clustering(vectors).labels
    assert (labels[40:] == 0).all()


def test_a_stored_graph_gives_the_same_result(blobs):
    vectors = blobs[0]
    built = []
    fresh = run_clustering(vectors, "communities", on_graph=built.append)
    stored = run_clustering(vectors, "communities", graph=built[0])
    np.testing.assert_array_equal(fresh.labels, stored.labels)
    assert fresh.graph_recall == 1


def test_a_graph_of_other_rows_is_refused(blobs):
    with pytest.raises(FieldInvalid):
        run_clustering(blobs[0][:-1], graph=build_graph(blobs[0]))


def test_progress_rises_through_the_stages(blobs):
    told = []
    run_clustering(blobs[0], report=lambda stage, fraction: told.append((stage, fraction)))
    assert [stage for stage, _ in told] == sorted(
        (stage for stage, _ in told), key=list(Stage).index
    )
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)


def test_ranking_keeps_noise_and_orders_by_size_then_first_row():
    labels = np.array([7, 2, 2, -1, 7, 5, 5, 5], np.int32)
    assert rank_by_size(labels).tolist() == [1, 2, 2, -1, 1, 0, 0, 0]


def test_stats_are_those_of_directions():
    vectors = np.array([[2, 0], [0, 3], [0, 1], [5, 5]], np.float32)
    stats = calculate_cluster_stats(vectors, np.array([0, 0, 1, -1], np.int32))
    half = np.sqrt(0.5)
    assert stats.sizes.tolist() == [2, 1]
    np.testing.assert_allclose(stats.centroids, [[half, half], [0, 1]], atol=1e-6)
    np.testing.assert_allclose(stats.spreads, [1 - half, 0], atol=1e-6)


def test_strength_is_highest_at_the_centroid_and_half_between_two():
    vectors = np.concatenate(
        [np.repeat([[1.0, 0, 0]], 10, axis=0), np.repeat([[0.0, 1, 0]], 8, axis=0), [[1, 1, 0.01]]]
    ).astype(np.float32)
    clustering = run_clustering(vectors, "dbscan", {"eps": 0.01})
    assert clustering.labels[-1] == -1
    assert clustering.strengths[0] == pytest.approx(1)
    assert clustering.strengths[-1] == pytest.approx(0.5, abs=1e-3)


def test_exemplars_are_the_rows_nearest_to_the_centroid(blobs):
    vectors, truth = blobs
    labels = rank_by_size(truth.astype(np.int32))
    stats = calculate_cluster_stats(vectors, labels)
    units = normalize_rows(vectors)
    for cluster, exemplars in enumerate(sample_all_clusters(vectors, labels, 7)):
        rows = np.flatnonzero(labels == cluster)
        gaps = 1 - units[rows] @ stats.centroids[cluster]
        assert exemplars.tolist() == rows[np.argsort(gaps, kind="stable")[:7]].tolist()


def test_exemplars_repeat_a_vector_only_when_there_is_no_other():
    vectors = np.array([[1, 0], [1, 0], [1, 0.1], [1, 0], [1, 0.3]], np.float32)
    labels = np.zeros(5, np.int32)
    assert sorted(sample_all_clusters(vectors, labels, 3)[0].tolist()) == [0, 2, 4]
    assert sample_all_clusters(vectors, labels, 5)[0].tolist()[3:] == [1, 3]


@pytest.mark.parametrize("count", [0, 11])
def test_impossible_numbers_of_exemplars_are_refused(count):
    with pytest.raises(FieldInvalid):
        sample_all_clusters(np.eye(3, dtype=np.float32), np.zeros(3, np.int32), count)
