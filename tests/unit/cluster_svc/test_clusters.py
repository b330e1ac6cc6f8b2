from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cluster_svc.clusters import (
    rank_by_size,
    run_clustering,
)
from cluster_svc.errors import TooFewRows
from cluster_svc.graph import build_graph
from cluster_svc.progress import Stage
from cluster_svc.registry import ALGORITHMS
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


def check_layer(layer, rows):
    sizes = layer.stats.sizes
    inside = layer.labels >= 0
    numbers = layer.labels - layer.first_cluster_id
    counts = np.bincount(numbers[inside], minlength=len(sizes))
    np.testing.assert_array_equal(sizes, counts)
    assert (sizes > 0).all()
    first = [int((numbers == cluster).argmax()) for cluster in range(len(sizes))]
    assert list(zip(-sizes, first, strict=True)) == sorted(zip(-sizes, first, strict=True))
    np.testing.assert_array_equal(layer.nearest[inside], layer.labels[inside])
    assert (layer.nearest >= 0).all() == (len(sizes) > 0)
    assert ((layer.strengths >= 0) & (layer.strengths <= 1)).all()
    assert len(layer.labels) == len(layer.strengths) == rows
    known = layer.stability[~np.isnan(layer.stability)]
    assert len(layer.stability) == len(sizes) and ((known >= 0) & (known <= 1)).all()
    for number, exemplars in enumerate(layer.exemplars):
        assert 1 <= len(exemplars) == len(set(exemplars.tolist())) <= 5
        assert (numbers[exemplars] == number).all()


def check_nesting(fine, coarse):
    inside = fine.labels >= 0
    np.testing.assert_array_equal(inside, coarse.labels >= 0)
    parents = fine.parent_ids[fine.labels[inside] - fine.first_cluster_id]
    np.testing.assert_array_equal(parents, coarse.labels[inside])
    assert coarse.cluster_count < fine.cluster_count


def check_invariants(clustering, rows):
    layers = clustering.layers
    for layer in layers:
        check_layer(layer, rows)
    for fine, coarse in pairwise(layers):
        check_nesting(fine, coarse)
    assert (layers[-1].parent_ids == -1).all()
    assert [layer.is_terrain for layer in layers].count(True) == 1
    assert clustering.terrain.first_cluster_id == 0
    ids = [
        layer.first_cluster_id + number
        for layer in sorted(layers, key=lambda layer: layer.first_cluster_id)
        for number in range(layer.cluster_count)
    ]
    assert ids == list(range(len(ids)))
    noise = clustering.noise
    assert clustering.noise_count == noise.sparse_count + noise.small_cluster_count
    assert clustering.reason and clustering.layer_reason and noise.reason
    landmarks = clustering.landmarks
    assert (np.diff(landmarks.row_ids) > 0).all() and len(landmarks.row_ids)
    assert ((landmarks.reaches >= 0) & (landmarks.reaches <= 2)).all()


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
    labels = run_clustering(vectors).terrain.labels
    assert (labels[40:] == 0).all()


def assert_equal_layers(one, other):
    assert len(one.layers) == len(other.layers)
    for left, right in zip(one.layers, other.layers, strict=True):
        for name in ("labels", "nearest", "strengths", "parent_ids", "stability"):
            np.testing.assert_array_equal(getattr(left, name), getattr(right, name))
        np.testing.assert_array_equal(left.stats.centroids, right.stats.centroids)
        assert list(map(list, left.exemplars)) == list(map(list, right.exemplars))


def test_one_and_two_threads_give_the_same_result():
    vectors = np.random.default_rng(0).normal(size=(3000, 24)).astype(np.float32)
    one, two = (run_clustering(vectors, thread_count=count) for count in (1, 2))
    assert_equal_layers(one, two)
    np.testing.assert_array_equal(one.landmarks.row_ids, two.landmarks.row_ids)
    np.testing.assert_array_equal(one.landmarks.reaches, two.landmarks.reaches)


def test_a_stored_graph_gives_the_same_result(blobs):
    vectors = blobs[0]
    built = []
    fresh = run_clustering(vectors, "communities", on_graph=built.append)
    stored = run_clustering(vectors, "communities", graph=built[0])
    assert_equal_layers(fresh, stored)
    assert fresh.graph_recall == 1


def test_a_graph_of_other_rows_is_refused(blobs):
    with pytest.raises(FieldInvalid):
        run_clustering(blobs[0][:-1], graph=build_graph(blobs[0]))


def test_progress_rises_through_the_stages(blobs):
    told = []
    run_clustering(blobs[0], report=told.append)
    stages = [progress.stage for progress in told]
    assert stages == sorted(stages, key=list(Stage).index)
    assert set(stages) == {Stage.NEIGHBORS, Stage.CLUSTERS, Stage.LAYERS, Stage.STATISTICS}
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions) and fractions[0] == 0
    assert fractions[-1] == pytest.approx(1)
    assert all(progress.fraction <= progress.stage_end + 1e-9 for progress in told)


def test_ranking_keeps_noise_and_orders_by_size_then_first_row():
    labels = np.array([7, 2, 2, -1, 7, 5, 5, 5], np.int32)
    assert rank_by_size(labels).tolist() == [1, 2, 2, -1, 1, 0, 0, 0]


def test_strength_is_highest_at_the_centroid_and_half_between_two():
    vectors = np.concatenate(
        [np.repeat([[1.0, 0, 0]], 10, axis=0), np.repeat([[0.0, 1, 0]], 8, axis=0), [[1, 1, 0.01]]]
    ).astype(np.float32)
    clustering = run_clustering(vectors, "dbscan", {"eps": 0.01})
    layer = clustering.terrain
    assert layer.labels[-1] == -1
    assert layer.strengths[0] == pytest.approx(1)
    assert layer.strengths[-1] == pytest.approx(0.5, abs=1e-3)
