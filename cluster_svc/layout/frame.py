"""The scale that positions are on: that of the forces, and that of the result."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cluster_svc.layout.field import Field
from cluster_svc.layout.optimise import REPULSION, STEEPNESS
from cluster_svc.vectors import FloatArray, IntArray

# Enough for the scale to be right to a few percent.
_PAIRS = 20_000

# Scales that are tried; a settled layout extends 1 to 100 units from its middle.
_EXTENTS = np.geomspace(0.1, 1000, 81)

_MORTON_BITS = 16


def fitted(positions: FloatArray) -> FloatArray:
    """Return the positions centred, the larger side of their box from -1 to 1; all 0 if equal."""
    low = positions.min(axis=0).astype(np.float64)
    high = positions.max(axis=0).astype(np.float64)
    half = float((high - low).max()) / 2
    scale = 1 / half if half > 0 else 0.0
    result: FloatArray = ((positions - (low + high) / 2) * scale).astype(np.float32)
    return np.clip(result, -1, 1, out=result)


def balanced_scale(field: Field, positions: FloatArray, seed: int) -> float:
    """Return by what to multiply centred positions so that their forces do not change their extent.

    That is where attraction and repulsion do equal work in a growth of all distances by one factor.
    """
    extent = float(np.abs(positions).max())
    if extent == 0 or not len(field.ends):
        return 1.0
    random = np.random.default_rng(seed)
    entries = random.integers(len(field.ends), size=_PAIRS)
    rows = np.searchsorted(field.starts, entries, side="right") - 1
    first, second = random.integers(field.node_count, size=(2, _PAIRS))
    along = _squares(positions, rows, field.ends[entries])
    beside = _squares(positions, first, second)
    pulled = field.weights[entries] * (len(field.ends) / field.node_count)
    work = [
        REPULSION * (field.rates[first] / (1 + STEEPNESS * beside * s * s)).mean()
        - (pulled * STEEPNESS * along * s * s / (1 + STEEPNESS * along * s * s)).mean()
        for s in _EXTENTS / extent
    ]
    return float(_EXTENTS[np.abs(work).argmin()] / extent)


def morton_order(positions: FloatArray) -> IntArray:
    """Return the nodes along a Z-shaped curve, on which near nodes mostly come near each other.

    Source: G. M. Morton, "A computer oriented geodetic data base", IBM, 1966.
    """
    cells = ((fitted(positions) + 1) * ((1 << _MORTON_BITS) - 1) / 2).astype(np.uint32)
    codes = _spread_bits(cells[:, 0]) | (_spread_bits(cells[:, 1]) << np.uint32(1))
    return np.argsort(codes, kind="stable").astype(np.int32)


def _squares(
    positions: FloatArray, first: NDArray[np.integer], second: NDArray[np.integer]
) -> NDArray[np.float64]:
    offsets = positions[first].astype(np.float64) - positions[second]
    squares: NDArray[np.float64] = (offsets * offsets).sum(axis=1)
    return squares


def _spread_bits(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the lower 16 bits with a zero before each."""
    for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        values = (values | (values << np.uint32(shift))) & np.uint32(mask)
    return values
