from dataclasses import replace

import numpy as np
import pytest

from gateway.duplicate_counts import CountUnit
from gateway.plans import PlanFigures
from gateway.terrain_view import Terrain


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


def view_of(terrain, weights, revision=0):
    return terrain.view(terrain.weigh(weights), revision, FLAT)


def metrics_of(terrain, weights):
    return terrain.metrics(terrain.weigh(weights))


def test_hills_stand_at_their_weights():
    view = view_of(make_terrain([10, 4]), {0: 0.5}, 3)
    assert [one["height"] for one in view["hills"]] == [5, 4]
    assert [one["original_height"] for one in view["hills"]] == [10, 4]
    assert [one["effective_size"] for one in view["hills"]] == [5, 4]
    assert [one["weight"] for one in view["hills"]] == [0.5, 1]
    assert view["revision"] == 3


def test_figures_at_weight_one_are_the_original_ones():
    metrics = metrics_of(make_terrain([10, 4], noise_count=6), {})
    original = metrics.pop("original")
    assert metrics == original
    assert (metrics["row_count"], metrics["noise_count"], metrics["cluster_count"]) == (20, 6, 2)


def test_noise_counts_for_the_cost_and_not_for_the_flatness():
    terrain = make_terrain([10, 10], noise_count=20)
    metrics = metrics_of(terrain, {-1: 3.0})
    assert metrics["flatness"] == 1
    assert metrics["effective_sample_size"] == pytest.approx((20 + 60) ** 2 / (20 + 9 * 20))
    noise = view_of(terrain, {-1: 3.0})["noise"]
    assert {name: noise[name] for name in ("count", "share", "weight", "effective_size")} == {
        "count": 20,
        "share": 0.5,
        "weight": 3.0,
        "effective_size": 60.0,
    }


def test_a_terrain_of_an_earlier_version_says_what_it_does_not_know():
    view = view_of(make_terrain([10, 4], noise_count=3), {})
    assert (view["noise"]["reason"], view["noise"]["sparse_count"]) == ("", None)
    assert view["layout"] == {"own_hill_fraction": None, "neighbor_preservation": None}
    assert view["layer"] == 0
    assert view["layers"] == [
        {"layer_index": 0, "first_cluster_id": 0, "cluster_count": 2, "is_terrain_layer": True}
    ]


@pytest.mark.parametrize("noise_count", [0, 1])
def test_clusters_and_noise_can_be_weighed(noise_count):
    layers = make_terrain([5, 3], noise_count).layers
    assert layers.weighed_ids == {"0": 0, "1": 1, "-1": -1}


@pytest.mark.parametrize("weight", [0.0, 3.0, 1e6])
def test_weight_of_noise_that_has_no_rows_changes_no_figure(weight):
    terrain = make_terrain([10, 4])
    assert metrics_of(terrain, {0: 0.5, -1: weight}) == metrics_of(terrain, {0: 0.5})


def test_the_ground_is_built_from_weighted_heights():
    terrain = make_terrain([10, 4])
    assert [shape.height for shape in terrain.shapes(terrain.weigh({1: 2.0}))] == [10, 8]


def test_a_terrain_without_hills_is_flat():
    view = view_of(make_terrain([], noise_count=60), {})
    assert (view["hills"], view["metrics"]["flatness"]) == ([], 1)
    assert view["heightData"] == [[0, 0], [0, 0]]


def test_a_plan_tells_what_weights_cannot():
    terrain = make_terrain([10, 4], noise_count=6)
    weighed = terrain.weigh({0: 0.5})
    own = terrain.metrics(weighed)
    after = {**own, "flatness": 0.75, "row_count": 9, "dropped_row_count": 11}
    del after["original"]
    told = terrain.metrics(weighed, PlanFigures("job", 0, after))
    assert told == {**after, "original": own["original"]}
    other_layer = terrain.metrics(weighed, PlanFigures("job", 1, after))
    assert other_layer == {**own, "row_count": 9, "dropped_row_count": 11}
    grouped = replace(terrain, unit=CountUnit.GROUPS)
    assert grouped.metrics(weighed, PlanFigures("job", 0, after)) == own
