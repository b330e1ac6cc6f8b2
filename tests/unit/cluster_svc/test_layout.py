import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from cluster_svc.graph import build_graph
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


def test_near_rows_stay_near(blobs):
    vectors, _ = blobs
    positions = lay_out(build_graph(vectors))
    assert trustworthiness(vectors, positions, n_neighbors=10, metric="cosine") > 0.9


def test_start_positions_are_kept_in_the_large(blobs):
    graph = build_graph(blobs[0])
    start = lay_out(graph)
    moved = lay_out(graph, start=start, seed=1)
    mirrored = lay_out(graph, start=start * np.float32([-1, 1]), seed=1)
    assert np.corrcoef(start[:, 0], moved[:, 0])[0, 1] > 0.8
    assert np.corrcoef(start[:, 0], mirrored[:, 0])[0, 1] < -0.8


@pytest.mark.parametrize("start", [np.zeros((3, 2)), np.full((60, 2), np.nan)])
def test_wrong_start_positions_are_refused(start):
    with pytest.raises(FieldInvalid):
        lay_out(build_graph(np.ones((60, 2), np.float32)), start=start.astype(np.float32))


def test_progress_reaches_one_without_falling(blobs):
    told = []
    lay_out(build_graph(blobs[0]), report=told.append)
    assert told == sorted(told)
    assert told[-1] == 1
