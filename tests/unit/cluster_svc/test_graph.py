import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cluster_svc.errors import TooFewRows
from cluster_svc.graph import NeighborGraph, build_graph, measure_recall
from cluster_svc.neighbors import search as search_module
from cluster_svc.vectors import normalize_rows
from level_rpc.errors import FieldInvalid


def brute_force(vectors, first_rows, k):
    units = normalize_rows(vectors[first_rows])
    distances = np.clip(1 - units @ units.T, 0, 2)
    np.fill_diagonal(distances, np.inf)
    return np.sort(distances, axis=1)[:, :k]


@pytest.mark.parametrize("rows", [2, 3, 15, 16, 17, 300, 700])
def test_distances_equal_brute_force(rows):
    vectors = np.random.default_rng(rows).normal(size=(rows, 12)).astype(np.float32)
    graph = build_graph(vectors)
    graph.check()
    expected = brute_force(vectors, graph.first_rows, graph.neighbor_count)
    assert graph.neighbor_count == min(15, rows - 1)
    np.testing.assert_allclose(graph.distances, expected, atol=1e-5)


def test_ties_go_by_index():
    graph = build_graph(np.eye(400, dtype=np.float32), 3)
    assert graph.indices[10].tolist() == [0, 1, 2]
    assert graph.indices[1].tolist() == [0, 2, 3]


def test_identical_rows_are_one_node():
    vectors = np.array([[1, 0], [0, 1], [1, 0], [-0.0, 1]], np.float32)
    graph = build_graph(vectors)
    first, second = graph.node_of_row[:2]
    assert graph.node_of_row.tolist() == [first, second, first, second]
    assert graph.multiplicities.tolist() == [2, 2]
    assert graph.first_rows[graph.node_of_row].tolist() == [0, 1, 0, 1]
    assert graph.indices.tolist() == [[1], [0]]


def test_zero_vectors_are_one_node_at_distance_one():
    vectors = np.array([[0, 0], [1, 0], [0, 0], [1, 0.1]], np.float32)
    graph = build_graph(vectors)
    zero = graph.node_of_row[0]
    assert graph.node_of_row[2] == zero
    assert graph.distances[zero].tolist() == [1, 1]
    assert (graph.distances[graph.indices == zero] == 1).all()


@settings(max_examples=25, deadline=None)
@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 40), st.integers(1, 5)),
        elements=st.integers(-2, 2).map(float),
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_rows_does_not_matter(vectors, random):
    order = random.sample(range(len(vectors)), len(vectors))
    graph, shuffled = build_graph(vectors, 4), build_graph(vectors[order], 4)
    assert (graph.indices == shuffled.indices).all()
    assert (graph.distances == shuffled.distances).all()
    assert (graph.node_of_row[order] == shuffled.node_of_row).all()


def test_length_of_vectors_does_not_matter():
    vectors = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    scales = np.float32(10) ** np.arange(-25, 25, dtype=np.float32)
    graph, scaled = build_graph(vectors), build_graph(vectors * scales[:, None])
    np.testing.assert_allclose(
        graph.distances[graph.node_of_row], scaled.distances[scaled.node_of_row], atol=1e-5
    )


def test_a_single_row_has_no_neighbours():
    graph = build_graph(np.ones((1, 3), np.float32))
    assert graph.indices.shape == (1, 0)


def test_no_rows_are_refused():
    with pytest.raises(TooFewRows):
        build_graph(np.empty((0, 3), np.float32))


def test_not_finite_vectors_are_refused():
    with pytest.raises(FieldInvalid):
        build_graph(np.array([[1.0, np.nan]], np.float32))


@settings(max_examples=40, deadline=None)
@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 60), st.integers(1, 3)),
        elements=st.integers(-2, 2).map(float),
    )
)
def test_any_small_graph_is_well_formed(vectors):
    graph = build_graph(vectors, 4)
    graph.check()
    assert graph.neighbor_count == min(4, graph.node_count - 1)
    assert (np.diff(graph.distances, axis=1) >= 0).all()
    assert graph.multiplicities.sum() == len(vectors)


def test_wrong_graphs_are_refused():
    good = build_graph(np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32), 3)
    own = good.indices.copy()
    own[5, 1] = 5
    outside = good.indices.copy()
    outside[5, 1] = 20
    for indices in (own, outside, good.indices[:, :2]):
        with pytest.raises(FieldInvalid):
            NeighborGraph(good.node_of_row, indices, good.distances).check()
    with pytest.raises(FieldInvalid):
        NeighborGraph(np.zeros(20, np.int32), good.indices, good.distances).check()


@pytest.fixture
def approximate(monkeypatch):
    monkeypatch.setattr(search_module, "EXACT_NODE_LIMIT", 100)


def test_a_large_graph_is_nearly_complete_and_does_not_depend_on_order(approximate):
    vectors = np.random.default_rng(0).normal(size=(2_500, 8)).astype(np.float32)
    vectors[1_000:1_300] = vectors[:300]
    graph = build_graph(vectors, 10, seed=4)
    graph.check()
    assert graph.node_count == 2_200
    assert measure_recall(graph, vectors) > 0.95
    order = np.random.default_rng(1).permutation(len(vectors))
    shuffled = build_graph(vectors[order], 10, seed=4, thread_count=3)
    assert (graph.indices == shuffled.indices).all()
    assert (graph.distances == shuffled.distances).all()
    assert (graph.node_of_row[order] == shuffled.node_of_row).all()


def test_recall_counts_what_is_missing(approximate):
    vectors = np.random.default_rng(0).normal(size=(1_200, 8)).astype(np.float32)
    graph = build_graph(vectors, 10)
    far = np.where(np.arange(10) < 4, 2, graph.distances).astype(np.float32)
    worse = NeighborGraph(graph.node_of_row, graph.indices, far)
    assert measure_recall(worse, vectors) == pytest.approx(0.6, abs=0.03)


def test_another_engine_searches_instead():
    def search(units, k, *, report):
        report(0.5)
        return np.tile(np.arange(1, k + 1, dtype=np.int32), (len(units), 1)), np.zeros(
            (len(units), k), np.float32
        )

    fractions = []
    graph = build_graph(np.eye(9, dtype=np.float32), 2, search=search, report=fractions.append)
    assert graph.indices[0].tolist() == [1, 2]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4096])
def test_any_number_of_dimensions(dimensions):
    vectors = np.random.default_rng(0).normal(size=(90, dimensions)).astype(np.float32)
    graph = build_graph(vectors, 200)
    assert graph.neighbor_count == 89
    expected = brute_force(vectors, graph.first_rows, 89)
    np.testing.assert_allclose(graph.distances, expected, atol=1e-5)


def test_a_giant_group_of_copies_is_one_node():
    vectors = np.random.default_rng(0).normal(size=(5_000, 6)).astype(np.float32)
    vectors[500:] = vectors[0]
    graph = build_graph(vectors)
    assert graph.node_count == 500
    assert graph.multiplicities.max() == 4_501


def test_rows_all_equal_are_one_node():
    graph = build_graph(np.ones((300, 5), np.float32))
    assert graph.indices.shape == (1, 0)
    assert graph.row_count == 300
