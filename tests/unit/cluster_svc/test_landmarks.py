import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_svc.density import density_distances, find_sparse_nodes
from cluster_svc.graph import build_graph
from cluster_svc.landmarks import choose_landmarks
from cluster_svc.vectors import normalize_rows


def uneven_rows(count=900, seed=0):
    """Ten directions of different spread, and one row in thirty from anywhere."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 10, count).astype(np.int32)
    spread = random.uniform(0.05, 0.25, 10)[labels, None]
    vectors = random.normal(size=(10, 24))[labels] + spread * random.normal(size=(count, 24))
    lost = random.random(count) < 1 / 30
    vectors[lost] = random.normal(size=(int(lost.sum()), 24))
    return vectors.astype(np.float32), labels


def choose(vectors, labels, **options):
    """Return the landmarks of labelled rows, and the graph of these."""
    graph = build_graph(vectors)
    of_nodes = labels[graph.first_rows]
    units = normalize_rows(vectors[graph.first_rows])
    finest = options.pop("finest", None)
    if finest is not None:
        options["finest"] = finest[graph.first_rows]
    return choose_landmarks(units, graph, of_nodes, **options), graph


def exceeds(graph, reaches):
    """Return which nodes are noise by the reaches of their neighbours."""
    return density_distances(graph) > np.median(reaches[graph.indices], axis=1)


def by_node(landmarks, graph):
    """Return the reaches of all nodes in their own order."""
    reaches = np.empty(graph.node_count, np.float32)
    reaches[graph.node_of_row[landmarks.row_ids]] = landmarks.reaches
    return reaches


def test_few_rows_are_all_landmarks_once():
    vectors, labels = uneven_rows(60)
    copied = np.concatenate([vectors, vectors[:20]])
    landmarks, _ = choose(copied, np.concatenate([labels, labels[:20]]))
    assert landmarks.row_ids.dtype == np.int64
    assert landmarks.row_ids.tolist() == list(range(60))


def test_a_sample_keeps_every_cluster_and_noise():
    vectors, labels = uneven_rows(900)
    labels[:30] = 77
    labels[30:34] = 78
    labels[100:110] = -1
    finest = np.where(labels < 0, -1, labels * 10 + np.arange(900) % 4).astype(np.int32)
    landmarks, _ = choose(vectors, labels, finest=finest, limit=200)
    rows = landmarks.row_ids
    assert (np.diff(rows) > 0).all()
    assert set(finest[rows].tolist()) == set(finest.tolist())
    assert (labels[rows] == 77).sum() == 15
    assert (labels[rows] == 78).sum() == 4
    assert 200 <= len(rows) <= 200 + len(set(finest.tolist())) + 15 + 4


def test_the_order_of_the_rows_does_not_matter():
    vectors, labels = uneven_rows(500)
    order = np.random.default_rng(1).permutation(500)
    one, _ = choose(vectors, labels, limit=100, noise_threshold=2.5)
    other, _ = choose(vectors[order], labels[order], limit=100, noise_threshold=2.5)
    back = np.argsort(order[other.row_ids])
    assert order[other.row_ids][back].tolist() == one.row_ids.tolist()
    np.testing.assert_array_equal(other.reaches[back], one.reaches)


def test_another_seed_draws_other_landmarks():
    vectors, labels = uneven_rows(500)
    drawn = [choose(vectors, labels, limit=100, seed=seed)[0] for seed in (0, 0, 1)]
    assert drawn[0].row_ids.tolist() == drawn[1].row_ids.tolist()
    assert drawn[0].row_ids.tolist() != drawn[2].row_ids.tolist()


@pytest.mark.parametrize("noise_threshold", [0, 1.0, 2.5])
def test_sparse_rows_are_those_that_the_clustering_marks(noise_threshold):
    vectors, labels = uneven_rows()
    landmarks, graph = choose(vectors, labels, noise_threshold=noise_threshold)
    sparse = find_sparse_nodes(graph, noise_threshold)
    assert sparse.any()
    np.testing.assert_array_equal(exceeds(graph, by_node(landmarks, graph)), sparse)


def test_nothing_is_sparse_beyond_any_threshold():
    vectors, labels = uneven_rows()
    landmarks, graph = choose(vectors, labels, noise_threshold=1000)
    assert (landmarks.reaches == 2).all()
    assert not find_sparse_nodes(graph, 1000).any()


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.5])
def test_a_rule_that_parts_noise_by_density_is_learned(factor):
    vectors, labels = uneven_rows()
    graph = build_graph(vectors)
    own = density_distances(graph)
    noise = own > factor * np.median(own)
    labels = np.where(noise[graph.node_of_row], -1, labels).astype(np.int32)
    landmarks, _ = choose(vectors, labels)
    wrong = exceeds(graph, by_node(landmarks, graph)) != noise
    assert wrong.mean() < 0.01


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), share=st.floats(0, 1))
def test_what_is_learned_is_never_worse_than_no_rule(seed, share):
    vectors, labels = uneven_rows(80, seed)
    noise = np.random.default_rng(seed).random(80) < share
    labels = np.where(noise, -1, labels).astype(np.int32)
    landmarks, graph = choose(vectors, labels)
    assert ((landmarks.reaches >= 0) & (landmarks.reaches <= 2)).all()
    marked = exceeds(graph, by_node(landmarks, graph))[graph.node_of_row]
    assert (marked != noise).sum() <= noise.sum()


def test_a_single_vector_reaches_everywhere():
    landmarks, _ = choose(np.ones((9, 4), np.float32), np.zeros(9, np.int32))
    assert landmarks.row_ids.tolist() == [0]
    assert landmarks.reaches.tolist() == [2]
