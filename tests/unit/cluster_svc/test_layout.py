import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.manifold import trustworthiness

from cluster_svc.graph import NeighborGraph, build_graph
from cluster_svc.layout import lay_out
from level_rpc.errors import FieldInvalid

random = np.random.default_rng(0)

DEGENERATE = {
    "one row": np.ones((1, 8)),
    "all rows equal": np.ones((60, 8)),
    "two rows": np.eye(2, 8),
    "three rows": np.eye(3, 8),
    "fewer rows than neighbours": random.normal(size=(9, 8)),
    "nine in ten copied": np.concatenate([random.normal(size=(40, 8)), np.ones((360, 8))]),
    "disconnected": np.repeat(np.eye(6), 40, axis=0) + 0.001 * random.normal(size=(240, 6)),
    "zero rows among others": np.where(np.arange(60)[:, None] % 6, random.normal(size=(60, 8)), 0),
}


@pytest.fixture(scope="module")
def clouds():
    """Graph and cluster of 1,500 rows in 12 overlapping clouds: enough for coarser graphs."""
    labels = np.repeat(np.arange(12), 125).astype(np.int32)
    centers = random.normal(size=(12, 16))
    vectors = (centers[labels] + 0.8 * random.normal(size=(1500, 16))).astype(np.float32)
    return vectors, build_graph(vectors), labels


def relabelled(graph, order):
    """Return the graph with node i in place of node ``order[i]``."""
    ranks = np.argsort(order).astype(np.int32)
    return NeighborGraph(
        ranks[graph.node_of_row], ranks[graph.indices[order]], graph.distances[order]
    )


@pytest.mark.parametrize("name", DEGENERATE)
def test_any_rows_are_laid_out_finite_within_bounds_and_repeatably(name):
    graph = build_graph(DEGENERATE[name].astype(np.float32))
    positions = lay_out(graph, seed=3)
    assert positions.shape == (graph.row_count, 2)
    assert positions.dtype == np.float32
    assert np.isfinite(positions).all()
    assert np.abs(positions).max() <= 1
    np.testing.assert_array_equal(positions, lay_out(graph, seed=3))
    np.testing.assert_array_equal(positions, positions[graph.first_rows][graph.node_of_row])
    if graph.node_count > 1:
        assert np.ptp(positions, axis=0).max() == pytest.approx(2, abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 40), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_any_graph_is_laid_out_with_its_nodes_apart(nodes, neighbors, seed):
    draw = np.random.default_rng(seed)
    k = min(neighbors, nodes - 1)
    others = np.argsort(draw.random((nodes, nodes)) + 9 * np.eye(nodes), axis=1)[:, :k]
    distances = np.sort(draw.integers(4, size=(nodes, k)) / 3, axis=1).astype(np.float32)
    graph = NeighborGraph(np.arange(nodes, dtype=np.int32), others.astype(np.int32), distances)
    positions = lay_out(graph, seed=seed)
    assert np.isfinite(positions).all()
    assert len(np.unique(positions, axis=0)) == nodes


def test_threads_reports_and_drafts_have_no_effect(clouds):
    _, graph, labels = clouds
    nodes = np.tile(np.arange(graph.node_count, dtype=np.int32), 2)
    copied = NeighborGraph(nodes, graph.indices, graph.distances)
    told, drafts = [], []
    alone = lay_out(copied, labels=np.tile(labels, 2))
    shared = lay_out(
        copied,
        labels=np.tile(labels, 2),
        thread_count=2,
        report=told.append,
        on_draft=lambda draft: drafts.append((draft, told[-1])),
    )
    np.testing.assert_array_equal(alone, shared)
    np.testing.assert_array_equal(alone[:1500], alone[1500:])
    assert told == sorted(told)
    assert told[-1] == 1
    assert len(drafts) == 3
    assert drafts[0][1] <= 0.25
    assert all(draft.shape == alone.shape and np.abs(draft).max() <= 1 for draft, _ in drafts)


def test_the_order_of_rows_has_no_effect(clouds):
    _, graph, _ = clouds
    order = random.permutation(graph.row_count)
    shuffled = NeighborGraph(graph.node_of_row[order], graph.indices, graph.distances)
    np.testing.assert_array_equal(lay_out(shuffled), lay_out(graph)[order])


def test_near_rows_stay_near(clouds):
    vectors, graph, _ = clouds
    for positions in (lay_out(graph), lay_out(relabelled(graph, random.permutation(1500)))):
        assert trustworthiness(vectors, positions, n_neighbors=10, metric="cosine") > 0.9


def test_parts_without_an_edge_between_them_lie_side_by_side():
    parts = np.repeat(np.arange(6), 40)
    positions = lay_out(build_graph(DEGENERATE["disconnected"].astype(np.float32)))
    centers = np.stack([positions[parts == part].mean(axis=0) for part in range(6)])
    reach = max(np.linalg.norm(positions - centers[parts], axis=1))
    gaps = np.linalg.norm(centers[:, None] - centers, axis=2)[np.triu_indices(6, 1)]
    assert gaps.min() > reach
    assert gaps.max() < 30 * reach


def test_start_positions_are_kept_in_the_large(blobs):
    graph = build_graph(blobs[0])
    start = lay_out(graph)
    moved = lay_out(graph, start=start, seed=1)
    mirrored = lay_out(graph, start=start * np.float32([-1, 1]), seed=1)
    assert np.corrcoef(start[:, 0], moved[:, 0])[0, 1] > 0.8
    assert np.corrcoef(start[:, 0], mirrored[:, 0])[0, 1] < -0.8


@pytest.mark.parametrize("scale", [1e-3, 1.0, 50.0])
def test_fixed_rows_stay_exactly_and_others_come_to_their_neighbours(clouds, scale):
    _, graph, _ = clouds
    start = lay_out(graph) * np.float32(scale) + np.float32([3, -5])
    fixed = random.random(1500) < 0.9
    lost = start.copy()
    lost[~fixed] = start.mean(axis=0)
    moved = lay_out(graph, start=lost, fixed=fixed, seed=2)
    np.testing.assert_array_equal(moved[fixed], start[fixed])
    away = np.linalg.norm(moved - start, axis=1)[~fixed]
    assert np.median(away) < 0.1 * scale
    np.testing.assert_array_equal(lay_out(graph, start=lost, fixed=np.ones(1500, bool)), lost)


def test_a_row_beside_its_fixed_copy_stays_with_it(clouds):
    _, graph, _ = clouds
    nodes = np.append(graph.node_of_row, graph.node_of_row[0]).astype(np.int32)
    copied = NeighborGraph(nodes, graph.indices, graph.distances)
    start = np.append(lay_out(graph), [[9, 9]], axis=0).astype(np.float32)
    fixed = np.zeros(1501, bool)
    fixed[0] = True
    moved = lay_out(copied, start=start, fixed=fixed)
    np.testing.assert_array_equal(moved[[0, 1500]], start[[0, 0]])


@pytest.mark.parametrize("start", [np.zeros((3, 2)), np.full((60, 2), np.nan)])
def test_wrong_start_positions_are_refused(start):
    with pytest.raises(FieldInvalid):
        lay_out(build_graph(np.ones((60, 2), np.float32)), start=start.astype(np.float32))


@pytest.mark.parametrize(
    "wrong", [{"labels": np.zeros(3, np.int32)}, {"fixed": np.ones(60, np.bool_)}]
)
def test_wrong_labels_and_fixed_rows_are_refused(wrong):
    with pytest.raises(FieldInvalid):
        lay_out(build_graph(np.ones((60, 2), np.float32)), **wrong)
