"""Where a new row lies on an existing layout: among those of its neighbours that lie together.

A mean would put a row whose neighbours lie on two hills into the valley between them; the mode of
its neighbours' positions, found by mean shift with a kernel of bounded influence, is on one hill.

Source: D. Comaniciu, P. Meer, "Mean Shift: A Robust Approach Toward Feature Space Analysis", IEEE
Transactions on Pattern Analysis and Machine Intelligence 24, 2002.
"""

from __future__ import annotations

import numpy as np

from cluster_svc.vectors import FloatArray

_ROWS_PER_BLOCK = 4096

# The bandwidth is so many radii of the smallest ball round a neighbour with this share of the
# weight: narrower than a hill's distance from the next, wide enough to average over a hill.
_WIDTH = 4
_BALL_SHARE = 0.4

# Each step more than halves the distance to the mode; the start is within the mode already.
_SHIFTS = 3


def place(neighbor_positions: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the position of each new row, given where its neighbours lie.

    The position is within the convex hull of the neighbours' positions, and where one of them is.

    Parameters
    ----------
    neighbor_positions : float32 array of shape (rows, k, 2)
        Finite, on any scale; k at least 1.
    weights : float32 array of shape (rows, k)
        How near each neighbour is, not negative; where all are 0 they count alike.

    Returns
    -------
    float32 array of shape (rows, 2)
        Finite, on the scale of ``neighbor_positions``.
    """
    placed = np.empty((len(weights), 2), np.float32)
    for start in range(0, len(weights), _ROWS_PER_BLOCK):
        block = slice(start, start + _ROWS_PER_BLOCK)
        placed[block] = _place_block(neighbor_positions[block], weights[block])
    return placed


def _place_block(positions: FloatArray, weights: FloatArray) -> FloatArray:
    totals = weights.sum(axis=1, keepdims=True)
    shares = np.where(totals > 0, weights / np.where(totals > 0, totals, 1), 1 / weights.shape[1])
    offsets = positions[:, :, None] - positions[:, None, :]
    squares = (offsets * offsets).sum(axis=3)
    bandwidths = _WIDTH**2 * _smallest_ball(squares, shares)
    densities = (shares[:, None] * _nearness(squares, bandwidths[:, None, None])).sum(axis=2)
    center = positions[np.arange(len(positions)), densities.argmax(axis=1)]
    for _ in range(_SHIFTS):
        center = _shift(positions, shares, center, bandwidths)
    # Rounding could carry a mean just outside of the points that it is a mean of.
    placed: FloatArray = np.clip(center, positions.min(axis=1), positions.max(axis=1))
    return placed


def _smallest_ball(squares: FloatArray, shares: FloatArray) -> FloatArray:
    """Return the squared radius of the smallest ball with ``_BALL_SHARE`` of each row's weight."""
    order = np.argsort(squares, axis=2, kind="stable")
    held = np.take_along_axis(np.broadcast_to(shares[:, None], squares.shape), order, axis=2)
    enough = (held.cumsum(axis=2) >= _BALL_SHARE).argmax(axis=2)
    ranked = np.take_along_axis(squares, order, axis=2)
    radii: FloatArray = np.take_along_axis(ranked, enough[:, :, None], axis=2)[:, :, 0].min(axis=1)
    return radii


def _nearness(squares: FloatArray, bandwidths: FloatArray) -> FloatArray:
    """Return the kernel at squared distances for squared bandwidths, 0 to 1."""
    floor = np.finfo(np.float32).tiny
    nearness: FloatArray = np.square((bandwidths + floor) / (bandwidths + squares + floor))
    return nearness


def _shift(
    positions: FloatArray, shares: FloatArray, center: FloatArray, bandwidths: FloatArray
) -> FloatArray:
    """Return the means of the neighbours, those far beyond the bandwidth of the centre left out."""
    offsets = positions - center[:, None]
    near = shares * _nearness((offsets * offsets).sum(axis=2), bandwidths[:, None])
    total = near.sum(axis=1, keepdims=True)
    mean = (near[:, :, None] * offsets).sum(axis=1) / np.where(total > 0, total, 1)
    moved: FloatArray = (center + mean).astype(np.float32)
    return moved
