import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cluster_svc import graph as graph_module
from cluster_svc.errors import TooFewRows
from cluster_svc.graph import NeighborGraph, build_graph, measure_recall
from cluster_svc.neighbors import _drop_self
from cluster_svc.vectors import merge_identical_rows, normalize_rows
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
    assert graph.node_of_row.tolist() == [0, 1, 0, 1]
    assert graph.multiplicities.tolist() == [2, 2]
    assert graph.first_rows.tolist() == [0, 1]
    assert graph.indices.tolist() == [[1], [0]]


def test_zero_vectors_are_one_node_at_distance_one():
    vectors = np.array([[0, 0], [1, 0], [0, 0], [1, 0.1]], np.float32)
    graph = build_graph(vectors)
    np.testing.assert_allclose(graph.distances[0], [1, 1])


def test_length_of_vectors_does_not_matter():
    vectors = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    scales = np.float32(10) ** np.arange(-25, 25, dtype=np.float32)
    np.testing.assert_allclose(
        build_graph(vectors).distances, build_graph(vectors * scales[:, None]).distances, atol=1e-5
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


def test_nn_descent_finds_nearly_all_neighbours_and_repeats_itself(monkeypatch):
    monkeypatch.setattr(graph_module, "EXACT_NODE_LIMIT", 100)
    vectors = np.random.default_rng(0).normal(size=(600, 6)).astype(np.float32)
    graph = build_graph(vectors, 10, seed=4)
    graph.check()
    assert measure_recall(graph, vectors) > 0.95
    assert (graph.indices == build_graph(vectors, 10, seed=4).indices).all()


def test_merging_keeps_first_rows():
    vectors = np.array([[3, 1], [2, 2], [3, 1], [5, 5], [2, 2]], np.float32)
    nodes, first_rows = merge_identical_rows(vectors)
    assert nodes.tolist() == [0, 1, 0, 2, 1]
    assert first_rows.tolist() == [0, 1, 3]


def test_self_and_gaps_are_replaced_by_other_rows():
    found = np.array([[0, 1, 2], [2, 1, -1], [-1, -1, -1], [1, 2, 0]])
    kept = _drop_self(found, 2)
    assert kept[0].tolist() == [1, 2]
    assert kept[3].tolist() == [1, 2]
    for row, neighbors in enumerate(kept.tolist()):
        assert len({*neighbors, row}) == 3
        assert min(neighbors) >= 0
