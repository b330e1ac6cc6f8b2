import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cluster_svc.assign import AssignModel, assign_rows
from cluster_svc.density import find_sparse_nodes
from cluster_svc.graph import build_graph
from cluster_svc.landmarks import choose_landmarks
from cluster_svc.membership import measure_memberships
from cluster_svc.statistics import calculate_cluster_stats
from cluster_svc.vectors import normalize_rows
from level_rpc.errors import FieldInvalid

random = np.random.default_rng(0)


def make_model(vectors, labels, *, noise_threshold=2.5):
    """Return the model of labelled rows, each placed near (10 * label, 10 * label)."""
    graph = build_graph(vectors)
    units = normalize_rows(vectors[graph.first_rows])
    of_nodes = labels[graph.first_rows].astype(np.int32)
    landmarks = choose_landmarks(units, graph, of_nodes, noise_threshold=noise_threshold)
    rows = landmarks.row_ids
    positions = 10 * labels[rows, None] + np.random.default_rng(1).random((len(rows), 2))
    return AssignModel(
        vectors=vectors[rows],
        labels=labels[rows].astype(np.int32),
        reaches=landmarks.reaches,
        positions=positions.astype(np.float32),
    )


def plain_model(vectors, labels, reach=2.0):
    """Return a model in which every landmark has one reach, without positions."""
    vectors = np.asarray(vectors, np.float32)
    reaches = np.full(len(vectors), reach, np.float32)
    return AssignModel(vectors, np.asarray(labels, np.int32), reaches)


def assert_equal(one, other):
    for name in ("labels", "nearest", "strengths", "positions"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def take(assigned, rows):
    """Return what some of the rows have."""
    return type(assigned)(
        assigned.labels[rows],
        assigned.nearest[rows],
        assigned.strengths[rows],
        None if assigned.positions is None else assigned.positions[rows],
    )


def new_rows(blobs, count=300):
    """Rows like those of the blobs, each of another length, and one in ten from anywhere."""
    vectors, truth = blobs
    chosen = random.integers(0, len(vectors), count)
    rows = vectors[chosen] + 0.01 * random.normal(size=(count, vectors.shape[1]))
    rows[::10] = random.normal(size=rows[::10].shape)
    return (rows * random.uniform(0.1, 9, (count, 1))).astype(np.float32), truth[chosen]


def test_rows_go_to_the_cluster_that_they_lie_in(blobs):
    rows, truth = new_rows(blobs)
    found = assign_rows(make_model(*blobs), rows)
    known = np.arange(len(rows)) % 10 > 0
    assert (found.labels[known] == truth[known]).mean() > 0.98
    assert (found.labels[~known] == -1).all()
    clustered = found.labels >= 0
    np.testing.assert_array_equal(found.nearest[clustered], found.labels[clustered])
    assert (found.nearest >= 0).all()
    corners = found.positions - 10 * found.labels[:, None]
    assert ((corners[clustered] >= 0) & (corners[clustered] <= 1)).all()
    assert np.isfinite(found.positions).all()


def test_a_row_does_not_depend_on_the_rows_beside_it(blobs):
    model = make_model(*blobs)
    rows, _ = new_rows(blobs)
    together = assign_rows(model, rows)
    order = random.permutation(len(rows))
    assert_equal(assign_rows(model, rows[order]), take(together, order))
    for row in order[:20]:
        assert_equal(assign_rows(model, rows[row : row + 1]), take(together, [row]))
    assert_equal(assign_rows(model, rows, thread_count=2), together)


def test_a_row_identical_to_a_landmark_is_where_that_is(blobs):
    vectors, truth = blobs
    vectors = np.concatenate([vectors, np.zeros((1, 32), np.float32), -vectors[:1]])
    labels = np.concatenate([truth, [3, -1]])
    labels[::7] = -1
    model = make_model(vectors, labels)
    found = assign_rows(model, model.vectors)
    np.testing.assert_array_equal(found.labels, model.labels)
    np.testing.assert_array_equal(found.positions, model.positions)


def test_of_identical_landmarks_the_first_counts():
    model = plain_model([[1, 0], [1, 0], [0, 1]], [4, 2, 9])
    found = assign_rows(model, np.array([[1, 0], [1, -0.0]], np.float32))
    assert found.labels.tolist() == [4, 4]


def test_strengths_are_those_of_the_clustering(blobs):
    vectors, truth = blobs
    labels = truth.astype(np.int32)
    labels[::9] = -1
    found = assign_rows(make_model(vectors, labels), vectors)
    centroids = calculate_cluster_stats(vectors, labels).centroids
    [expected] = measure_memberships(normalize_rows(vectors), [(labels, centroids)])
    np.testing.assert_array_equal(found.labels, labels)
    np.testing.assert_array_equal(found.nearest, expected.nearest)
    np.testing.assert_allclose(found.strengths, expected.strengths, atol=1e-5)


def test_a_row_is_noise_as_it_would_be_in_the_clustering():
    centres = random.normal(size=(8, 16))
    spread = random.uniform(0.1, 0.6, (600, 1))
    truth = np.arange(600) % 8
    vectors = (centres[truth] + spread * random.normal(size=(600, 16))).astype(np.float32)
    graph = build_graph(vectors)
    sparse = find_sparse_nodes(graph, 1.0)[graph.node_of_row]
    rows = np.concatenate([np.flatnonzero(sparse)[:40], np.flatnonzero(~sparse)[:40]])
    agreed = []
    for row in rows:
        others = np.delete(np.arange(600), row)
        model = make_model(vectors[others], truth[others], noise_threshold=1.0)
        agreed.append((assign_rows(model, vectors[row : row + 1]).labels[0] < 0) == sparse[row])
    assert np.mean(agreed) > 0.9


def test_a_row_among_noise_is_noise():
    near = random.normal(size=8) + 0.1 * random.normal(size=(30, 8))
    far = random.normal(size=8) + 0.1 * random.normal(size=(30, 8))
    model = plain_model(np.concatenate([near, far]), [6] * 30 + [-1] * 30)
    found = assign_rows(model, np.array([near.mean(axis=0), far.mean(axis=0)], np.float32))
    assert found.labels.tolist() == [6, -1]
    assert found.nearest.tolist() == [6, 6]


def test_the_nearest_landmarks_outvote_the_many():
    angles = np.array([0.0, 0.01, 0.02, 0.5, 0.51, 0.52, 0.53, 0.54, 0.55])
    model = plain_model(np.column_stack([np.cos(angles), np.sin(angles)]), [1] * 3 + [2] * 6)
    assert assign_rows(model, np.array([[1, 0.015]], np.float32)).labels.tolist() == [1]


def test_a_model_without_clusters_has_only_noise():
    found = assign_rows(plain_model(np.eye(4), [-1] * 4), np.ones((2, 4), np.float32))
    assert found.labels.tolist() == found.nearest.tolist() == [-1, -1]
    assert found.strengths.tolist() == [0, 0]
    assert found.positions is None


def test_no_rows_are_assigned_to_nothing():
    found = assign_rows(plain_model(np.eye(4), range(4)), np.empty((0, 4), np.float32))
    assert found.labels.shape == found.nearest.shape == found.strengths.shape == (0,)


def test_progress_reaches_the_end(blobs):
    told = []
    assign_rows(make_model(*blobs), new_rows(blobs)[0], report=told.append)
    assert told == sorted(told)
    assert told[-1] == 1


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float32, (6, 3), elements=st.integers(-2, 2).map(float)),
    arrays(np.int32, 6, elements=st.integers(-1, 3)),
    arrays(np.float32, 6, elements=st.floats(0, 2, width=32)),
    arrays(np.float32, (4, 3), elements=st.floats(-(2.0**100), 2.0**100, width=32)),
)
def test_any_model_and_rows_give_a_valid_answer(vectors, labels, reaches, rows):
    positions = np.column_stack([np.arange(6), -np.arange(6)]).astype(np.float32)
    found = assign_rows(AssignModel(vectors, labels, reaches, positions), rows)
    assert set(found.labels.tolist()) <= {-1, *labels.tolist()}
    clustered = found.labels >= 0
    np.testing.assert_array_equal(found.nearest[clustered], found.labels[clustered])
    assert (found.nearest >= 0).all() == (labels >= 0).any()
    assert ((found.strengths >= 0) & (found.strengths <= 1)).all()
    assert ((found.positions >= [0, -5]) & (found.positions <= [5, 0])).all()


GOOD = {
    "vectors": np.eye(3, dtype=np.float32),
    "labels": np.array([0, 1, -1], np.int32),
    "reaches": np.ones(3, np.float32),
    "positions": np.zeros((3, 2), np.float32),
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vectors", np.empty((0, 3), np.float32)),
        ("vectors", np.ones(3, np.float32)),
        ("vectors", np.eye(3)),
        ("vectors", np.full((3, 3), np.nan, np.float32)),
        ("labels", np.zeros(2, np.int32)),
        ("labels", np.zeros(3)),
        ("labels", np.full(3, -2, np.int32)),
        ("reaches", np.zeros(4, np.float32)),
        ("reaches", np.full(3, 2.5, np.float32)),
        ("reaches", np.full(3, np.inf, np.float32)),
        ("positions", np.zeros((3, 3), np.float32)),
        ("positions", np.full((3, 2), np.nan, np.float32)),
    ],
)
def test_arrays_that_are_no_model_are_refused(name, value):
    model = AssignModel(**{**GOOD, name: value})
    with pytest.raises(FieldInvalid) as caught:
        assign_rows(model, np.eye(3, dtype=np.float32))
    assert caught.value.metadata["field"] == f"model.{name}"


@pytest.mark.parametrize(
    "rows", [np.ones((2, 4), np.float32), np.ones((2, 3)), np.full((2, 3), np.inf, np.float32)]
)
def test_rows_that_do_not_fit_the_model_are_refused(rows):
    with pytest.raises(FieldInvalid) as caught:
        assign_rows(AssignModel(**GOOD), rows)
    assert caught.value.metadata["field"] == "vectors"


def test_a_sample_of_the_rows_is_enough():
    truth = random.integers(0, 6, 1200).astype(np.int32)
    centres = random.normal(size=(6, 16))
    rows = (centres[truth] + 0.15 * random.normal(size=(1200, 16))).astype(np.float32)
    graph = build_graph(rows[:1000])
    labels = truth[graph.first_rows]
    units = normalize_rows(rows[graph.first_rows])
    landmarks = choose_landmarks(units, graph, labels, noise_threshold=2.5, limit=200)
    chosen = landmarks.row_ids
    assert len(chosen) < 250
    found = assign_rows(AssignModel(rows[chosen], truth[chosen], landmarks.reaches), rows[1000:])
    np.testing.assert_array_equal(found.nearest, truth[1000:])
    assert (found.labels < 0).mean() < 0.1
