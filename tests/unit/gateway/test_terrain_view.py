import numpy as np
import pytest

from gateway.terrain_view import Terrain, is_original


def hill(cluster_id, size):
    return {
        "cluster_id": cluster_id,
        "label": f"Topic {cluster_id}",
        "x": 3.0,
        "z": 4.0,
        "radius": 1.0,
        "original_height": float(size),
        "size": size,
    }


def make_terrain(sizes, noise_count=0):
    hills = [hill(cluster_id, size) for cluster_id, size in enumerate(sizes)]
    stored = {"hills": hills, "noise": {"count": noise_count}, "grid_size": 2, "height_scale": 1.0}
    return Terrain.from_stored(stored)


FLAT = np.zeros((2, 2), np.float32)


def test_hills_stand_at_their_weights():
    view = make_terrain([10, 4]).view({0: 0.5}, 3, FLAT)
    assert [one["height"] for one in view["hills"]] == [5, 4]
    assert [one["original_height"] for one in view["hills"]] == [10, 4]
    assert [one["effective_size"] for one in view["hills"]] == [5, 4]
    assert [one["weight"] for one in view["hills"]] == [0.5, 1]
    assert view["revision"] == 3


def test_figures_at_weight_one_are_the_original_ones():
    metrics = make_terrain([10, 4], noise_count=6).metrics({})
    original = metrics.pop("original")
    assert metrics == original
    assert (metrics["row_count"], metrics["noise_count"], metrics["cluster_count"]) == (20, 6, 2)


def test_noise_counts_for_the_cost_and_not_for_the_flatness():
    terrain = make_terrain([10, 10], noise_count=20)
    metrics = terrain.metrics({-1: 3.0})
    assert metrics["flatness"] == 1
    assert metrics["effective_sample_size"] == pytest.approx((20 + 60) ** 2 / (20 + 9 * 20))
    assert terrain.view({-1: 3.0}, 1, FLAT)["noise"] == {
        "count": 20,
        "share": 0.5,
        "weight": 3.0,
        "effective_size": 60.0,
    }


@pytest.mark.parametrize("noise_count", [0, 1])
def test_clusters_and_noise_can_be_weighed(noise_count):
    assert make_terrain([5, 3], noise_count).weighed_ids == {"0": 0, "1": 1, "-1": -1}


@pytest.mark.parametrize("weight", [0.0, 3.0, 1e6])
def test_weight_of_noise_that_has_no_rows_changes_no_figure(weight):
    terrain = make_terrain([10, 4])
    assert terrain.metrics({0: 0.5, -1: weight}) == terrain.metrics({0: 0.5})


def test_the_ground_is_built_from_weighted_heights():
    assert [shape.height for shape in make_terrain([10, 4]).shapes({1: 2.0})] == [10, 8]


def test_weight_of_noise_does_not_move_the_ground():
    assert is_original({-1: 5.0, 0: 1.0})
    assert not is_original({0: 1.5})


def test_a_terrain_without_hills_is_flat():
    view = make_terrain([], noise_count=60).view({}, 0, FLAT)
    assert (view["hills"], view["metrics"]["flatness"]) == ([], 1)
    assert view["heightData"] == [[0, 0], [0, 0]]
