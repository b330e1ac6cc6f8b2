"""Clusters on the grid: where, how wide, how high."""

from math import inf, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from levelling import InvalidGroup, InvalidLayout, place_hills, place_layers

SQUARE = [[0, 0], [0, 2], [2, 0], [2, 2]]


def two_squares(offset=(10.0, 0.0)):
    positions = np.array(SQUARE + (np.array(SQUARE) + offset).tolist(), dtype=float)
    return positions, [0] * 4 + [1] * 4


def test_centre_and_radius_follow_the_definition_in_one_scale():
    # each square: centre (1, 1), mean squared distance 2, radius 2; the box of both hills with two
    # radii around is 18 wide and 8 high, so a unit is 99 / 18 cells
    positions, labels = two_squares()
    hills = place_hills(positions, labels, [0, 1], 100)
    unit = 99 / 18
    assert hills.radius.tolist() == pytest.approx([2 * unit, 2 * unit])
    assert hills.x.tolist() == pytest.approx([4 * unit, 14 * unit])
    assert hills.z.tolist() == pytest.approx([49.5, 49.5])


def test_radius_is_twice_the_deviation_along_an_axis():
    rows = np.random.default_rng(0).normal(size=(5000, 2)) * 3
    anchor = [[1000, 0], [1000, 0]]
    hills = place_hills(np.vstack([rows, anchor]), [0] * 5000 + [1] * 2, [0, 1], 200)
    unit = (hills.x[1] - hills.x[0]) / (1000 - rows[:, 0].mean())
    squared = ((rows - rows.mean(axis=0)) ** 2).sum(axis=1).mean()
    assert hills.radius[0] / unit == pytest.approx(2 * sqrt(squared / 2))


def test_heights_follow_sizes_and_weights():
    hills = place_hills(np.zeros((10, 2)), [0] * 6 + [1] * 3 + [2], [0, 1, 2], 50)
    assert hills.height.tolist() == pytest.approx([10, 5, 10 / 6])
    assert hills.at_weights([0.5, 4, 0]).height.tolist() == pytest.approx([5, 20, 0])


def test_hills_come_in_the_order_of_the_ids():
    positions, labels = two_squares()
    forth = place_hills(positions, labels, [0, 1], 64)
    back = place_hills(positions, labels, [1, 0], 64)
    assert back.cluster_ids.tolist() == [1, 0]
    assert back.x.tolist() == forth.x[::-1].tolist()


def test_noise_and_other_layers_do_not_move_hills():
    positions, labels = two_squares()
    far = np.vstack([positions, [[900, 900], [-900, 5]]])
    alone = place_hills(positions, labels, [0, 1], 64)
    with_noise = place_hills(far, [*labels, -1, 7], [0, 1], 64)
    assert with_noise.x == pytest.approx(alone.x)
    assert with_noise.radius == pytest.approx(alone.radius)


@pytest.mark.parametrize("place", [0.0, 1.0, -3.7, 1e6, 1e30])
def test_equal_positions_make_one_cell_hills_in_the_middle(place):
    hills = place_hills(np.full((6, 2), place), [0, 0, 0, 1, 1, 2], [0, 1, 2], 101)
    assert hills.x.tolist() == pytest.approx([50] * 3)
    assert hills.z.tolist() == pytest.approx([50] * 3)
    assert hills.radius.tolist() == [1] * 3


def test_positions_on_a_line_stay_on_a_line():
    hills = place_hills([[0, 5], [1, 5], [8, 5]], [0, 1, 2], [0, 1, 2], 33)
    assert hills.x.tolist() == pytest.approx([0, 4, 32])
    assert hills.z.tolist() == pytest.approx([16] * 3)


def test_no_cluster_makes_no_hill():
    hills = place_hills([[0, 0], [1, 1]], [-1, -1], [], 10)
    assert hills.x.size == hills.height.size == 0
    assert place_hills(np.empty((0, 2)), [], [], 10).x.size == 0


def test_a_cluster_without_rows_is_flat():
    positions, labels = two_squares()
    hills = place_hills(positions, labels, [0, 1, 2], 50)
    assert hills.height.tolist() == pytest.approx([10, 10, 0])
    assert place_hills([[3, 3]], [-1], [0], 9).height.tolist() == [0]


@given(
    st.lists(
        st.tuples(
            st.floats(-(2.0**99), 2.0**99, width=32),
            st.floats(-(2.0**99), 2.0**99, width=32),
            st.integers(-1, 4),
        ),
        min_size=1,
        max_size=40,
    ),
    st.integers(2, 300),
)
def test_hills_lie_inside_the_grid_and_reach_no_further_than_it(rows, grid_size):
    table = np.array(rows)
    hills = place_hills(table[:, :2], table[:, 2].astype(int), range(5), grid_size)
    for centre in (hills.x, hills.z):
        assert (centre >= 0).all()
        assert (centre <= grid_size - 1).all()
        wide = hills.radius > 1
        assert (centre - 2 * hills.radius >= -1e-6)[wide].all()
        assert (centre + 2 * hills.radius <= grid_size - 1 + 1e-6)[wide].all()
    assert (hills.radius >= 1).all()
    assert (hills.radius <= max(1, (grid_size - 1) / 4) + 1e-9).all()


@pytest.mark.parametrize(
    ("positions", "labels", "ids", "grid_size"),
    [
        ([[0, 0]], [0, 1], [0], 10),
        ([[0, 0, 0]], [0], [0], 10),
        ([[nan, 0]], [0], [0], 10),
        ([[0, inf]], [0], [0], 10),
        ([[0, 0]], [0], [0, 0], 10),
        ([[0, 0]], [0], [0], 1),
    ],
)
def test_what_is_no_layout_is_refused(positions, labels, ids, grid_size):
    with pytest.raises(InvalidLayout):
        place_hills(positions, labels, ids, grid_size)


def test_all_layers_stand_on_the_map_of_one():
    positions, terrain = two_squares()
    fine, coarse = [2, 2, 3, 3, 4, 4, 5, 5], [6] * 8
    ids = [[2, 3, 4, 5], [0, 1], [6]]
    layers = place_layers(positions, [fine, terrain, coarse], ids, 100, frame=1)
    alone = place_hills(positions, terrain, [0, 1], 100)
    assert layers[1].x.tolist() == alone.x.tolist()
    assert layers[1].radius.tolist() == alone.radius.tolist()
    assert layers[0].x.reshape(2, 2).mean(axis=1) == pytest.approx(alone.x)
    assert layers[2].x == pytest.approx([alone.x.mean()])
    assert [one.height.max() for one in layers] == [10, 10, 10]


@given(
    st.lists(
        st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.integers(-1, 4), st.integers(-1, 4)),
        min_size=1,
        max_size=30,
    ),
    st.integers(2, 60),
)
def test_hills_of_every_layer_lie_inside_the_grid(rows, grid_size):
    table = np.array(rows)
    labels = [table[:, column].astype(int) for column in (2, 3)]
    for hills in place_layers(table[:, :2], labels, [range(5), range(5)], grid_size):
        for centre in (hills.x, hills.z):
            assert ((centre >= 0) & (centre <= grid_size - 1)).all()
        assert np.isfinite(hills.radius).all() and (hills.radius >= 1).all()


@pytest.mark.parametrize("weights", [[1], [1, -1], [1, nan], [1, inf]])
def test_weights_that_do_not_fit_the_hills_are_refused(weights):
    positions, labels = two_squares()
    with pytest.raises(InvalidGroup):
        place_hills(positions, labels, [0, 1], 10).at_weights(weights)
