import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cluster_svc.layout.place import place

COORDINATES = st.floats(-1e6, 1e6, width=32)
WEIGHTS = st.one_of(st.just(0.0), st.floats(0.0009765625, 1, width=32))


@settings(max_examples=100, deadline=None)
@given(
    arrays(np.float32, (3, 5, 2), elements=COORDINATES),
    arrays(np.float32, (3, 5), elements=WEIGHTS),
)
def test_a_row_is_placed_within_the_box_of_its_neighbours(positions, weights):
    placed = place(positions, weights)
    assert placed.dtype == np.float32
    assert (placed >= positions.min(axis=1)).all()
    assert (placed <= positions.max(axis=1)).all()
    np.testing.assert_array_equal(
        placed,
        np.concatenate(
            [place(positions[row : row + 1], weights[row : row + 1]) for row in range(3)]
        ),
    )


def test_a_row_between_two_hills_is_placed_on_the_larger_not_between():
    random = np.random.default_rng(0)
    hills = np.repeat([[1.0, 1.0], [-1.0, -1.0]], [9, 6], axis=0)
    positions = (hills + random.normal(scale=0.01, size=(200, 15, 2))).astype(np.float32)
    placed = place(positions, np.ones((200, 15), np.float32))
    assert np.abs(placed - 1).max() < 0.05


def test_weights_decide_between_equal_groups():
    positions = np.repeat([[1.0, 0.0], [-1.0, 0.0]], 4, axis=0)[None].astype(np.float32)
    weights = np.repeat([0.1, 1.0], 4)[None].astype(np.float32)
    assert place(positions, weights)[0, 0] == pytest.approx(-1, abs=0.01)


def test_a_single_neighbour_is_where_a_row_is_placed():
    positions = np.float32([[[0.25, -0.5]]])
    np.testing.assert_array_equal(place(positions, np.zeros((1, 1), np.float32)), positions[:, 0])


def test_no_row_gives_no_position():
    assert place(np.empty((0, 4, 2), np.float32), np.empty((0, 4), np.float32)).shape == (0, 2)
