"""LayOut as its protos describe it, to a client that knows nothing else."""

import numpy as np
import pytest

from tests.contract.cluster_client import ROWS
from tests.contract.stranger import Refusal

INVALID = "INVALID_ARGUMENT"


def test_rows_are_laid_out_near_their_neighbours(clusters):
    answer = clusters.cluster(algorithm="hdbscan")
    laid_out = clusters.lay_out(answer.graph, labels=answer.labels)
    positions = laid_out.positions
    assert positions.shape == (ROWS, 2) and positions.dtype == np.float32
    assert np.abs(positions).max() <= 1
    assert np.array_equal(positions, clusters.lay_out(answer.graph, labels=answer.labels).positions)
    _, first, of_row = np.unique(answer.graph.row_nodes, return_index=True, return_inverse=True)
    assert np.array_equal(positions[first][of_row], positions)
    assert laid_out.progress and len(laid_out.frames) == 1
    centres = [positions[answer.labels == one.cluster_id].mean(axis=0) for one in answer.clusters]
    gaps = np.linalg.norm(positions[:, None] - np.array(centres), axis=2)
    own = float((gaps.argmin(axis=1) == answer.labels)[answer.labels >= 0].mean())
    assert own > 0.95
    assert laid_out.quality.own_hill_fraction == pytest.approx(own, abs=1e-3)
    assert 0 < laid_out.quality.neighbor_preservation <= 1


def test_a_layout_without_labels_has_no_hills(clusters):
    laid_out = clusters.lay_out(clusters.cluster().graph)
    assert not laid_out.quality.HasField("own_hill_fraction")


def test_rough_layouts_come_first_when_they_are_wanted(clusters):
    graph = clusters.cluster().graph
    frames = clusters.lay_out(graph, wants_drafts=True).frames
    assert len(frames) > 1
    assert all(one.shape == (ROWS, 2) and np.isfinite(one).all() for one in frames)
    assert np.array_equal(frames[-1], clusters.lay_out(graph).positions)


def test_layout_may_begin_from_given_positions(clusters):
    graph = clusters.cluster().graph
    start = np.ascontiguousarray(clusters.lay_out(graph, seed=1).positions)
    moved = clusters.lay_out(graph, start_positions=start, seed=1).positions
    assert moved.shape == start.shape and np.isfinite(moved).all()


def test_fixed_rows_stay_where_they_start(clusters):
    graph = clusters.cluster().graph
    start = np.ascontiguousarray(clusters.lay_out(graph).positions * 30)
    fixed = (graph.row_nodes % 3 > 0).astype("u1")
    moved = clusters.lay_out(graph, start_positions=start, fixed_rows=fixed).positions
    assert moved[fixed == 1] == pytest.approx(start[fixed == 1], abs=1e-3)
    assert np.isfinite(moved).all()


def test_fixed_rows_without_a_start_are_refused(clusters):
    with pytest.raises(Refusal) as caught:
        clusters.lay_out(clusters.cluster().graph, fixed_rows=np.ones(ROWS, "u1"))
    assert (caught.value.code, caught.value.reason) == (INVALID, "FIELD_INVALID")


def test_a_graph_that_points_nowhere_is_refused(clusters):
    graph = clusters.cluster().graph
    graph.indices = np.full_like(graph.indices, 2**31 - 1)
    with pytest.raises(Refusal) as caught:
        clusters.lay_out(graph)
    assert caught.value.code == INVALID
    assert caught.value.reason
