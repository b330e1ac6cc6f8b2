"""Weights live on the finest layer, and every other layer shows what they come to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import LayerUnknown, WeightsRefused
from gateway.layer_weights import LayerWeights
from gateway.layers import Layers


def stored_layers(sizes, terrain, coarse):
    """Return layers as the worker stores them.

    `sizes` of the finest clusters, `terrain` the terrain cluster of each, `coarse` the coarsest
    cluster of each terrain cluster; ids follow the contract.
    """
    terrain, coarse = _dense(terrain), _dense(coarse[: len(set(terrain))])
    fine_sizes = np.array(sizes)
    terrain_sizes = np.bincount(terrain, weights=fine_sizes).astype(int)
    coarse_sizes = np.bincount(coarse, weights=terrain_sizes).astype(int)
    first_fine, first_coarse = len(terrain_sizes), len(terrain_sizes) + len(fine_sizes)
    layers = [
        (first_fine, fine_sizes, terrain),
        (0, terrain_sizes, coarse + first_coarse),
        (first_coarse, coarse_sizes, np.full(len(coarse_sizes), -1)),
    ]
    return [
        {
            "layer_index": index,
            "is_terrain_layer": first == 0,
            "clusters": [
                {"cluster_id": first + place, "size": int(size), "parent_id": int(parent)}
                for place, (size, parent) in enumerate(zip(counts, parents, strict=True))
            ],
        }
        for index, (first, counts, parents) in enumerate(layers)
    ]


def _dense(numbers):
    return np.unique(np.asarray(numbers), return_inverse=True)[1]


FOUR = Layers.from_stored(stored_layers([30, 10, 5, 5], [0, 0, 1, 1], [0, 0]))
"""Terrain clusters 0 and 1, of 2 + 3 and 4 + 5; all in 6."""

counts = st.integers(1, 9)
weights = st.sampled_from([0.0, 1e-300, 0.1, 1 / 3, 1.0, 2.5, 1e6]) | st.floats(0, 1e6)
normal_weights = weights.map(lambda weight: weight if weight >= 2.3e-308 else 0.0)


@st.composite
def layers_and_weights(draw, weights=normal_weights):
    count = draw(counts)
    numbers = st.lists(st.integers(0, 4), min_size=count, max_size=count)
    sizes = draw(st.lists(st.integers(1, 1_000), min_size=count, max_size=count))
    layers = Layers.from_stored(stored_layers(sizes, draw(numbers), draw(numbers)))
    ids = layers.finest.cluster_ids.tolist()
    return layers, {one: draw(weights) for one in ids}


@given(layers_and_weights(), st.data(), normal_weights)
def test_a_cluster_of_any_layer_has_the_weight_that_it_was_given(given_layers, data, weight):
    layers, before = given_layers
    cluster = data.draw(st.sampled_from(sorted(layers.places)))
    layer = layers.find(layers.places[cluster][0])
    try:
        after = LayerWeights.from_stored(layers, before).changed({cluster: weight})
    except WeightsRefused:
        assert weight == 0
        return
    seen = after
    assert seen.of(layer)[cluster] == pytest.approx(weight, rel=1e-11)
    for other, kept in LayerWeights.from_stored(layers, before).of(layer).items():
        if other != cluster:
            assert seen.of(layer)[other] == kept
    assert np.isfinite(seen.finest).all() and (seen.finest >= 0).all()


@given(layers_and_weights(st.floats(1e-3, 1e3)), st.data())
def test_the_clusters_in_a_cluster_keep_their_proportions(given_layers, data):
    layers, before = given_layers
    coarsest = layers.layers[-1]
    cluster = data.draw(st.sampled_from(coarsest.cluster_ids.tolist()))
    old = LayerWeights.from_stored(layers, before)
    new = old.changed({cluster: 2.0})
    within = coarsest.cluster_ids[coarsest.slots] == cluster
    factors = new.finest[within] / old.finest[within]
    assert factors == pytest.approx(np.full(within.sum(), 2 / old.of(coarsest)[cluster]))


@given(layers_and_weights())
def test_effective_sizes_add_up_the_same_in_every_layer(given_layers):
    layers, before = given_layers
    seen = LayerWeights.from_stored(layers, before)
    totals = [
        sum(
            size * seen.of(layer)[one]
            for one, size in zip(layer.cluster_ids, layer.sizes, strict=True)
        )
        for layer in layers.layers
    ]
    assert totals == pytest.approx([totals[0]] * 3, rel=1e-9)


def test_equal_weights_are_shown_exactly():
    after = LayerWeights.from_stored(FOUR, {}).changed({0: 0.1})
    assert after.to_stored() == {2: 0.1, 3: 0.1}
    assert after.of(FOUR.terrain) == {0: 0.1, 1: 1.0, -1: 1.0}


def test_a_mean_is_shown_without_the_digits_that_only_rounding_made():
    after = LayerWeights.from_stored(FOUR, {2: 0.3, 3: 0.1}).changed({0: 0.7})
    assert after.of(FOUR.terrain)[0] == 0.7


def test_weighing_a_fine_cluster_shows_in_those_around_it():
    after = LayerWeights.from_stored(FOUR, {}).changed({3: 5.0})
    seen = after
    assert seen.of(FOUR.terrain) == {0: 2.0, 1: 1.0, -1: 1.0}
    assert seen.of(FOUR.find(2)) == {6: 1.8, -1: 1.0}


def test_a_cluster_whose_parts_all_weigh_nothing_rises_as_a_whole():
    after = LayerWeights.from_stored(FOUR, {2: 0.0, 3: 0.0}).changed({0: 4.0})
    assert after.to_stored() == {2: 4.0, 3: 4.0}


def test_clusters_that_lie_in_each_other_are_not_set_at_once():
    weights = LayerWeights.from_stored(FOUR, {})
    for changes in ({0: 2.0, 3: 1.0}, {6: 2.0, 1: 1.0}, {6: 1.0, 4: 1.0}):
        with pytest.raises(WeightsRefused, match="lie in each other"):
            weights.changed(changes)
    assert weights.changed({0: 2.0, 4: 3.0, -1: 0.0}).to_stored() == {
        2: 2.0,
        3: 2.0,
        4: 3.0,
        -1: 0.0,
    }


def test_no_adjustment_may_leave_every_hill_at_zero():
    for changes in ({6: 0.0}, {0: 0.0, 1: 0.0}, {2: 0.0, 3: 0.0, 1: 0.0}):
        with pytest.raises(WeightsRefused, match="at least one"):
            LayerWeights.from_stored(FOUR, {}).changed(changes)


def test_without_clusters_noise_must_be_left():
    nothing = LayerWeights.from_stored(Layers.of_one([]), {})
    assert nothing.changed({-1: 2.0}).to_stored() == {-1: 2.0}
    with pytest.raises(WeightsRefused):
        nothing.changed({-1: 0.0})


def test_layers_are_listed_and_found():
    assert [one["cluster_count"] for one in FOUR.summary()] == [4, 2, 1]
    assert [one["first_cluster_id"] for one in FOUR.summary()] == [2, 0, 6]
    assert FOUR.find(None).is_terrain_layer
    for unknown in (-1, 3):
        with pytest.raises(LayerUnknown, match="layers 0 to 2"):
            FOUR.find(unknown)


@given(layers_and_weights(), normal_weights)
def test_what_is_stored_comes_back(given_layers, noise):
    layers, before = given_layers
    weights = LayerWeights.from_stored(layers, {**before, -1: noise})
    again = LayerWeights.from_stored(layers, weights.to_stored())
    assert np.array_equal(again.finest, weights.finest)
    assert again.noise == noise


def test_weight_of_noise_does_not_move_the_ground():
    assert LayerWeights.from_stored(FOUR, {-1: 5.0, 2: 1.0}).is_original
    assert not LayerWeights.from_stored(FOUR, {2: 1.5}).is_original


def test_a_plan_may_set_no_weight_that_an_adjustment_may_not():
    ids = FOUR.finest.cluster_ids.tolist()
    largest = dict.fromkeys(ids, 1e6)
    assert LayerWeights.from_plan(FOUR, largest, 1e6).noise == 1e6
    with pytest.raises(WeightsRefused, match="1,000,000"):
        LayerWeights.from_plan(FOUR, {**largest, ids[0]: 2e6}, 1.0)
    with pytest.raises(WeightsRefused, match="1,000,000"):
        LayerWeights.from_plan(FOUR, largest, 2e6)
