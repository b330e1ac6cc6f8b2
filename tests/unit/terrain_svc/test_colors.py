"""Colours: distinct for everybody, stable, and readable on light and dark."""

import re
from itertools import combinations

import numpy as np
import pytest

from levelling import Hills
from terrain_svc.colors import generate_color
from terrain_svc.height_field import build_terrain

# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
VISIONS = {
    "full": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
# Ottosson (2020): linear sRGB to OKLab.
TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear_rgb(color):
    channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def oklab(color, vision):
    seen = np.clip(np.array(VISIONS[vision]) @ linear_rgb(color), 0, 1)
    return TO_OKLAB @ np.cbrt(TO_LMS @ seen)


def contrast(color, background):
    luminances = [linear_rgb(c) @ [0.2126, 0.7152, 0.0722] for c in (color, background)]
    return (max(luminances) + 0.05) / (min(luminances) + 0.05)


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize(("count", "distance"), [(4, 0.22), (12, 0.11), (24, 0.055), (64, 0.03)])
def test_any_two_colors_are_far_apart_in_every_vision(vision, count, distance):
    seen = [oklab(generate_color(index, count), vision) for index in range(count)]
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) >= distance


def test_thousands_of_colors_are_all_different():
    colors = {generate_color(index, 5000) for index in range(5000)}
    assert len(colors) == 5000
    assert all(re.fullmatch("#[0-9a-f]{6}", color) for color in colors)


@pytest.mark.parametrize("background", ["#ffffff", "#111111"])
def test_colors_can_be_read_on_light_and_dark(background):
    assert min(contrast(generate_color(index, 500), background) for index in range(500)) >= 2


def test_a_cluster_keeps_its_color_when_others_come_and_go():
    for index in (0, 11, 12, 63, 64, 400):
        assert generate_color(index, index + 1) == generate_color(index, 1000)
    one = np.ones(2)
    colors = build_terrain(Hills(np.array([30, 3]), one, one, one, one), 5).colors
    assert colors == (generate_color(30, 31), generate_color(3, 31))


@pytest.mark.parametrize(("index", "count"), [(-1, 5), (5, 5), (0, 0)])
def test_an_index_outside_the_count_is_refused(index, count):
    with pytest.raises(ValueError, match="index"):
        generate_color(index, count)
