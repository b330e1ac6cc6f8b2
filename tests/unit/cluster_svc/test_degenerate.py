"""Rows that no dataset should have: vectors to clusters to positions to new rows' clusters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cluster_svc.assign import AssignModel, assign_rows
from cluster_svc.clusters import run_clustering
from cluster_svc.errors import TooFewRows
from cluster_svc.layout import lay_out
from cluster_svc.registry import ALGORITHMS
from cluster_svc.vectors import merge_identical_rows
from level_rpc.errors import FieldInvalid

random = np.random.default_rng(0)


def scattered(rows, dimensions):
    return random.normal(size=(rows, dimensions))


def two_groups(second):
    """Sixty rows around one direction, and sixty around another."""
    first = np.eye(1, 16)
    return np.concatenate([first + 0.02 * scattered(60, 16), second + 0.02 * scattered(60, 16)])


CASES = {
    "one row": np.ones((1, 8)),
    "one zero row": np.zeros((1, 8)),
    "two rows": np.eye(2, 8),
    "two opposite rows": np.array([[1.0, 0], [-1, 0]]),
    "three rows": np.eye(3, 8),
    "all rows equal": np.ones((60, 8)),
    "all rows zero": np.zeros((60, 8)),
    "one direction, all lengths": np.arange(1, 61)[:, None] * np.ones((60, 8)),
    "two distinct rows": np.repeat(np.eye(2, 8), 30, axis=0),
    "two distinct rows, one of them once": np.eye(2, 8)[[0] * 59 + [1]],
    "fewer rows than neighbours": scattered(9, 8),
    "as many rows as neighbours": scattered(15, 8),
    "zero rows among others": np.where(np.arange(60)[:, None] % 6, scattered(60, 8), 0),
    "nine in ten copied": np.concatenate([scattered(40, 8), np.ones((360, 8))]),
    "every row twice": np.repeat(scattered(60, 8), 2, axis=0),
    "one dimension": scattered(60, 1),
    "two dimensions": scattered(120, 2),
    "4096 dimensions": scattered(60, 4096),
    "every row as far from every other": np.eye(50),
    "two opposite groups": two_groups(-np.eye(1, 16)),
    "tiny lengths": 1e-30 * scattered(80, 8),
    "huge lengths": 1e37 * scattered(80, 8),
    "lengths of all sizes": 10.0 ** random.integers(-37, 37, (80, 1)) * scattered(80, 8),
    "denormal numbers": 1e-44 * random.integers(-9, 9, (80, 8)),
    "one large number, others tiny": np.column_stack([np.full(80, 1e30), scattered(80, 7)]),
    "nearly equal rows": 1 + 1e-6 * scattered(80, 8),
    "a path": np.column_stack([np.cos(np.arange(90) / 30), np.sin(np.arange(90) / 30)]),
}


def assign_again(vectors, clustering, positions=None):
    """Return what the clustering's own rows are assigned to, from its landmarks."""
    rows = clustering.landmarks.row_ids
    model = AssignModel(
        vectors[rows],
        clustering.terrain.labels[rows],
        clustering.landmarks.reaches,
        None if positions is None else positions[rows],
    )
    return assign_rows(model, vectors)


def check(vectors, clustering):
    nodes, first_rows = merge_identical_rows(vectors)
    alike = first_rows[nodes]
    for layer in clustering.layers:
        assert layer.labels.shape == layer.nearest.shape == layer.strengths.shape == nodes.shape
        np.testing.assert_array_equal(layer.labels, layer.labels[alike])
        assert ((layer.strengths >= 0) & (layer.strengths <= 1)).all()
        assert np.isfinite(layer.stats.centroids).all() and np.isfinite(layer.stats.spreads).all()
        assert layer.stats.sizes.sum() == (layer.labels >= 0).sum()
        assert all(1 <= len(rows) <= 5 for rows in layer.exemplars)
    assert sorted(clustering.landmarks.row_ids.tolist()) == sorted(first_rows.tolist())
    assert 0 <= clustering.graph_recall <= 1


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_answers(name, algorithm):
    vectors = CASES[name].astype(np.float32)
    clustering = run_clustering(vectors, algorithm)
    check(vectors, clustering)
    assigned = assign_again(vectors, clustering)
    np.testing.assert_array_equal(assigned.labels, clustering.terrain.labels)
    assert ((assigned.strengths >= 0) & (assigned.strengths <= 1)).all()


@pytest.mark.parametrize("name", CASES)
def test_every_row_has_a_place(name):
    vectors = CASES[name].astype(np.float32)
    graphs = []
    clustering = run_clustering(vectors, on_graph=graphs.append)
    graphs[0].check()
    positions = lay_out(graphs[0], labels=clustering.terrain.labels)
    assert positions.shape == (len(vectors), 2)
    assert np.isfinite(positions).all()
    assigned = assign_again(vectors, clustering, positions)
    np.testing.assert_array_equal(assigned.positions, positions)
    strangers = random.normal(size=(5, vectors.shape[1])).astype(np.float32)
    rows = clustering.landmarks.row_ids
    model = AssignModel(
        vectors[rows],
        clustering.terrain.labels[rows],
        clustering.landmarks.reaches,
        positions[rows],
    )
    placed = assign_rows(model, strangers).positions
    assert (placed >= positions.min(axis=0)).all() and (placed <= positions.max(axis=0)).all()


@settings(max_examples=20, deadline=None)
@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 30), st.integers(1, 4)),
        elements=st.sampled_from([0, -0.0, 1, -1, 2, 1e-45, -1e-38, 1e-20, 3e38, -3e38]),
    ),
    st.sampled_from(sorted(ALGORITHMS)),
)
def test_any_rows_are_clustered_placed_and_assigned(vectors, algorithm):
    graphs = []
    clustering = run_clustering(vectors, algorithm, on_graph=graphs.append)
    check(vectors, clustering)
    positions = lay_out(graphs[0], labels=clustering.terrain.labels)
    assert np.isfinite(positions).all()
    assigned = assign_again(vectors, clustering, positions)
    np.testing.assert_array_equal(assigned.labels, clustering.terrain.labels)
    np.testing.assert_array_equal(assigned.positions, positions)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("name", ["all rows equal", "all rows zero", "one row"])
def test_equal_rows_are_one_cluster(name, algorithm):
    parameters = {"min_cluster_size": 2} if name == "one row" and algorithm == "hdbscan" else {}
    vectors = CASES[name].astype(np.float32)
    clustering = run_clustering(vectors, algorithm, parameters)
    if len(vectors) > 1:
        assert clustering.terrain.labels.tolist() == [0] * len(vectors)
        assert clustering.noise.sparse_count == clustering.noise.small_cluster_count == 0
    assert clustering.terrain.cluster_count <= 1


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_copies_are_one_cluster_whatever_surrounds_them(algorithm):
    vectors = CASES["nine in ten copied"].astype(np.float32)
    labels = run_clustering(vectors, algorithm).terrain.labels
    assert (labels[40:] == labels[40]).all()
    assert labels[40] == 0


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("second", [-np.eye(1, 16), np.eye(2, 16)[1:]])
def test_opposite_and_unrelated_groups_are_kept_apart(algorithm, second):
    labels = run_clustering(two_groups(second).astype(np.float32), algorithm).terrain.labels
    clustered = labels >= 0
    assert clustered.mean() > 0.5
    assert not set(labels[:60][clustered[:60]]) & set(labels[60:][clustered[60:]])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_lengths_do_not_matter(algorithm, blobs):
    vectors, _ = blobs
    lengths = 2.0 ** random.integers(-60, 60, (len(vectors), 1)).astype(np.float32)
    parameters = {"cluster_count": 5} if algorithm == "kmeans" else {}
    plain, scaled = (
        run_clustering(rows.astype(np.float32), algorithm, parameters).terrain.nearest
        for rows in (vectors, vectors * lengths)
    )
    pairs = set(zip(plain.tolist(), scaled.tolist(), strict=True))
    assert len(pairs) == len(set(plain.tolist())) == len(set(scaled.tolist()))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    ("vectors", "error"),
    [
        (np.empty((0, 4)), TooFewRows),
        (np.full((9, 4), np.nan), FieldInvalid),
        (np.where(np.eye(9, 4), np.inf, 1), FieldInvalid),
    ],
)
def test_what_are_no_vectors_is_refused(vectors, error, algorithm):
    with pytest.raises(error):
        run_clustering(vectors.astype(np.float32), algorithm)
