"""The ground under hills: exact sums, a fixed scale, and refusals."""

from math import exp, inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from levelling import Hills
from terrain_svc.errors import InvalidGridSize, InvalidHeightScale, InvalidHill
from terrain_svc.height_field import add_gaussian_hill, build_terrain


def hills_of(*rows):
    """Return hills of (x, z, radius, height) each, ids in order."""
    table = np.array(rows, dtype=float).reshape(-1, 4)
    return Hills(np.arange(len(table)), *table.T)


def random_hills(count, grid_size, seed=0):
    random = np.random.default_rng(seed)
    centres = random.uniform(0, grid_size - 1, (count, 2))
    return hills_of(
        *np.column_stack([centres, random.uniform(1, 8, count), random.uniform(0.1, 10, count)])
    )


def summed_naively(hills, grid_size):
    z, x = np.mgrid[:grid_size, :grid_size]
    field = np.zeros((grid_size, grid_size))
    for hill in zip(hills.x, hills.z, hills.radius, hills.height, strict=True):
        squared = (x - hill[0]) ** 2 + (z - hill[1]) ** 2
        field += hill[3] * np.exp(-squared / (2 * hill[2] ** 2))
    return field


def test_a_hill_is_a_gaussian_of_its_distance_at_z_and_x():
    field = np.zeros((20, 30))
    add_gaussian_hill(field, x=12.0, z=5.0, radius=3.0, height=7.0)
    assert field[5, 12] == pytest.approx(7)
    assert field[9, 15] == pytest.approx(7 * exp(-(3**2 + 4**2) / (2 * 9)))


def test_hills_add_to_the_ground_that_is_there():
    field = np.full((8, 8), 2.0)
    add_gaussian_hill(field, [1, 6], [1, 6], [1, 2], [3, 4])
    naive = 2 + summed_naively(hills_of((1, 1, 1, 3), (6, 6, 2, 4)), 8)
    assert field == pytest.approx(naive)


@pytest.mark.parametrize("count", [1, 40, 1500])
def test_the_ground_is_the_smoothed_sum_of_all_hills(count):
    hills = random_hills(count, 60)
    terrain = build_terrain(hills, 60, height_scale=0.5)
    expected = 0.5 * gaussian_filter(summed_naively(hills, 60), 1.0)
    assert terrain.heights == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_the_first_build_reaches_ten_and_says_by_which_scale():
    hills = random_hills(30, 100)
    first = build_terrain(hills)
    assert first.heights.shape == (100, 100)
    assert first.heights.dtype == np.float32
    assert first.heights.max() == 10
    assert first.heights.min() >= 0
    again = build_terrain(hills, height_scale=first.height_scale)
    assert np.array_equal(again.heights, first.heights)


def test_lowering_a_hill_lowers_the_ground_there_and_nothing_far_away():
    original = hills_of((20, 20, 3, 10), (70, 70, 3, 5))
    first = build_terrain(original)
    lowered = build_terrain(original.at_weights([0.2, 1]), height_scale=first.height_scale)
    assert lowered.heights[20, 20] == pytest.approx(0.2 * first.heights[20, 20], rel=1e-5)
    assert (lowered.heights <= first.heights + 1e-6).all()
    assert np.array_equal(lowered.heights[60:, 60:], first.heights[60:, 60:])


def test_raised_hills_pass_ten():
    hills = hills_of((20, 20, 3, 10), (70, 70, 3, 5))
    first = build_terrain(hills)
    raised = build_terrain(hills.at_weights([3, 1]), height_scale=first.height_scale)
    assert raised.heights.max() == pytest.approx(30, rel=1e-4)


@given(st.lists(st.floats(0, 5), min_size=6, max_size=6), st.floats(0.1, 4))
def test_the_ground_is_linear_in_the_heights(weights, factor):
    hills = random_hills(6, 24)
    once = build_terrain(hills.at_weights(weights), 24, 1.0).heights
    scaled = build_terrain(hills.at_weights(np.array(weights) * factor), 24, 1.0).heights
    assert scaled == pytest.approx(once * factor, rel=1e-4, abs=1e-4)


def test_no_ground_is_lost_at_the_edge():
    at_edge = build_terrain(hills_of((0, 50, 1, 10)), 100, 1.0).heights.sum()
    half_of_inner = summed_naively(hills_of((0, 50, 1, 10)), 100).sum()
    assert at_edge == pytest.approx(half_of_inner, rel=1e-5)


@pytest.mark.parametrize("hills", [hills_of(), hills_of((5, 5, 2, 0), (7, 7, 1, 0))])
def test_without_height_the_ground_is_flat(hills):
    terrain = build_terrain(hills, 50)
    assert not terrain.heights.any()
    assert terrain.height_scale == 1
    assert len(terrain.colors) == hills.x.size


def test_a_hill_far_thinner_than_a_cell_is_no_error():
    terrain = build_terrain(hills_of((5.5, 5.5, 1e-300, 10), (3, 3, 1e-200, 10)), 10)
    assert np.isfinite(terrain.heights).all()


@pytest.mark.parametrize("grid_size", [2, 3, 257])
def test_any_allowed_grid_is_drawn(grid_size):
    terrain = build_terrain(hills_of((1, 0.5, 1, 10)), grid_size)
    assert terrain.heights.shape == (grid_size, grid_size)
    assert terrain.heights.max() == 10


@pytest.mark.parametrize("grid_size", [-1, 0, 1, 2049])
def test_other_grids_are_refused(grid_size):
    with pytest.raises(InvalidGridSize) as caught:
        build_terrain(hills_of(), grid_size)
    assert caught.value.metadata == {"grid_size": str(grid_size), "allowed": "2 to 2048"}


@pytest.mark.parametrize("scale", [0, -1, nan, inf, 1e13])
def test_a_scale_that_is_none_is_refused(scale):
    with pytest.raises(InvalidHeightScale):
        build_terrain(hills_of(), 10, scale)


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ((nan, 5, 1, 1), "x"),
        ((-0.1, 5, 1, 1), "x"),
        ((5, inf, 1, 1), "z"),
        ((5, 9.1, 1, 1), "z"),
        ((5, 5, 0, 1), "radius"),
        ((5, 5, nan, 1), "radius"),
        ((5, 5, inf, 1), "radius"),
        ((5, 5, 1, -1), "height"),
        ((5, 5, 1, nan), "height"),
        ((5, 5, 1, inf), "height"),
    ],
)
def test_a_hill_that_is_none_is_refused_by_cluster_and_field(row, field):
    with pytest.raises(InvalidHill) as caught:
        build_terrain(hills_of((1, 1, 1, 1), row), 10)
    assert caught.value.metadata == {"cluster_id": "1", "field": field}


def test_noise_is_no_hill_and_too_many_hills_are_refused():
    one = np.ones(1)
    with pytest.raises(InvalidHill, match="noise"):
        build_terrain(Hills(np.array([-1]), one, one, one, one), 10)
    many = np.ones(20_001)
    with pytest.raises(InvalidHill, match="at most 20000"):
        build_terrain(Hills(np.arange(20_001), many, many, many, many), 10)
