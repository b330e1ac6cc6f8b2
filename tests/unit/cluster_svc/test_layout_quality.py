import numpy as np
import pytest

from cluster_svc.graph import build_graph
from cluster_svc.layout.quality import neighbor_preservation, own_hill_fraction

random = np.random.default_rng(0)


def plane_graph(count, k=8):
    """Rows on an arc of the sphere, where neighbours by cosine are neighbours on the plane."""
    angles = np.sort(random.random(count)).astype(np.float32)
    vectors = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    return build_graph(vectors, k), np.column_stack([angles, 0 * angles])


def test_neighbours_that_stay_are_all_preserved_and_random_ones_hardly():
    graph, positions = plane_graph(400)
    assert neighbor_preservation(graph, positions) > 0.97
    assert neighbor_preservation(graph, random.random((400, 2)).astype(np.float32)) < 0.1


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_few_rows_and_rows_at_one_spot_have_a_preservation(rows):
    graph = build_graph(np.eye(rows, 6, dtype=np.float32))
    assert neighbor_preservation(graph, np.zeros((rows, 2), np.float32)) == 1


def test_hills_apart_are_all_own_and_one_on_another_half():
    labels = np.repeat([0, 1, -1], 50).astype(np.int32)
    spots = random.normal(size=(150, 2)).astype(np.float32)
    apart = spots + 20 * labels[:, None].astype(np.float32)
    assert own_hill_fraction(apart, labels) == 1
    assert 0.3 < own_hill_fraction(spots, labels) < 0.75


def test_without_clusters_no_row_is_on_another_hill():
    assert own_hill_fraction(np.zeros((3, 2), np.float32), np.full(3, -1, np.int32)) == 1
