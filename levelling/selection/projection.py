"""What rows are compared by: their vectors, and these on the axes that tell them apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from levelling.selection.choice import Rows
from levelling.selection.unit_rows import blocks_of, scaled, unit_rows

AXIS_COUNT = 64
"""How many principal axes stay."""


def project(vectors: NDArray[np.float32], rows: Rows) -> NDArray[np.float32]:
    """Return vectors whose cosine is the mean of two: that of the rows, and that on their axes.

    On the principal axes of these rows, centred, what all rows share and the many axes on which
    they hardly differ are left out: neighbours are near because of their subject. What is left
    out still tells close subjects apart, so half of the similarity is that of the vectors as they
    are. Computed from the covariance, in two passes over blocks of rows.

    Parameters
    ----------
    vectors : ndarray of shape (n_rows, n_dimensions), float32
        Of any length; read in blocks.
    rows : ndarray of shape (n_chosen,), int64
        The rows to project.

    Returns
    -------
    ndarray of shape (n_chosen, min(n_dimensions, 64) + n_dimensions), float32
        Unit rows; zero for a zero row where the mean is zero too.
    """
    mean, axes = _find_axes(vectors, rows)
    axis_count = axes.shape[1]
    projected = np.empty((rows.size, axis_count + vectors.shape[1]), np.float32)
    for part in blocks_of(rows.size):
        units = unit_rows(vectors, rows[part])
        centred: NDArray[np.float32] = units - mean
        projected[part, :axis_count] = scaled(centred @ axes)
        projected[part, axis_count:] = units
        projected[part] = scaled(projected[part])
    return projected


def _find_axes(
    vectors: NDArray[np.float32], rows: Rows
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    dimensions = vectors.shape[1]
    total, moments = np.zeros(dimensions), np.zeros((dimensions, dimensions))
    for part in blocks_of(rows.size):
        block = unit_rows(vectors, rows[part])
        total += block.sum(axis=0, dtype=np.float64)
        if dimensions > AXIS_COUNT:
            moments += block.T @ block
    mean = total / max(rows.size, 1)
    if dimensions <= AXIS_COUNT:
        return mean.astype(np.float32), np.eye(dimensions, dtype=np.float32)
    covariance = moments / max(rows.size, 1) - np.outer(mean, mean)
    axes = np.linalg.eigh(covariance)[1][:, : -AXIS_COUNT - 1 : -1]
    return mean.astype(np.float32), np.ascontiguousarray(axes, np.float32)
