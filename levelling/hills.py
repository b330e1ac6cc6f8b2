"""Where clusters stand on the grid, how wide and how high."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from levelling.errors import InvalidGroup, InvalidLayout

HIGHEST = 10.0
"""The height of the largest cluster at weight 1."""

SMALLEST_RADIUS = 1.0
"""The least radius of a hill, in grid cells: a narrower one would fall between them."""

REACH = 2.0
"""How many radii around its centre a hill keeps inside the grid; beyond, it is below a seventh."""


@dataclass(frozen=True, eq=False)
class Hills:
    """Clusters as hills, a hill each, in grid cells.

    Parameters
    ----------
    cluster_ids : ndarray of shape (n_hills,), int64
    x, z : ndarray of shape (n_hills,), float64
        The centre, 0 to grid_size - 1; a height field is indexed ``[z][x]``.
    radius : ndarray of shape (n_hills,), float64
        The standard deviation of the hill's Gaussian.
    height : ndarray of shape (n_hills,), float64
        At least 0; 10 for the largest cluster at weight 1.
    """

    cluster_ids: NDArray[np.int64]
    x: NDArray[np.float64]
    z: NDArray[np.float64]
    radius: NDArray[np.float64]
    height: NDArray[np.float64]

    def at_weights(self, weights: ArrayLike) -> Hills:
        """Return these hills, their heights multiplied by the weights of their clusters.

        Parameters
        ----------
        weights : array_like of shape (n_hills,)
            Finite and at least 0, in the order of the hills.

        Raises
        ------
        InvalidGroup
            If there are more or fewer weights than hills, or one is not allowed.
        """
        factors = np.asarray(weights, dtype=np.float64)
        if factors.shape != self.height.shape:
            raise InvalidGroup(f"{self.height.size} hills need as many weights, not {factors.size}")
        if not np.isfinite(factors).all() or (factors < 0).any():
            raise InvalidGroup("weights must be finite and at least 0", field="weight")
        return replace(self, height=self.height * factors)


def place_hills(
    positions: ArrayLike, labels: ArrayLike, cluster_ids: ArrayLike, grid_size: int
) -> Hills:
    """Return each cluster as a hill at weight 1.

    Centre: the mean position of the cluster's rows. Radius: ``2 sqrt(mean squared distance to the
    centre / 2)``, twice the standard deviation along an axis, and at least one cell. Height:
    ``10 n_k / max(n)``. Positions map to cells by one scale for both axes, the largest at which
    every hill stays inside the grid for two radii around its centre. So no radius passes a quarter
    of the grid, and the map does not depend on noise, which is no hill.

    Parameters
    ----------
    positions : array_like of shape (n_rows, 2)
        The 2-D layout, in any unit; finite.
    labels : array_like of shape (n_rows,), int
        The cluster of each row, -1 for noise.
    cluster_ids : array_like of shape (n_hills,), int
        The clusters to place, distinct; the hills come in this order. One without rows becomes a
        hill of height 0.
    grid_size : int
        Cells along each side, at least 2.

    Returns
    -------
    Hills
        The same for the same input. All at the middle where all positions are equal.

    Raises
    ------
    InvalidLayout
        If an argument has another shape, a position is not finite, or an id comes twice.
    """
    points, owners = np.asarray(positions, dtype=np.float64), np.asarray(labels)
    ids = np.asarray(cluster_ids, dtype=np.int64)
    _check(points, owners, ids, grid_size)
    if ids.size == 0:
        return Hills(ids, np.empty(0), np.empty(0), np.empty(0), np.empty(0))
    counts, centres, radii = _cluster_moments(points, owners, ids)
    cells, scale = _fit(centres, radii, grid_size)
    return Hills(
        cluster_ids=ids,
        x=cells[:, 0],
        z=cells[:, 1],
        radius=np.maximum(radii * scale, SMALLEST_RADIUS),
        height=HIGHEST * counts / max(counts.max(), 1),
    )


def _cluster_moments(
    points: NDArray[np.float64], labels: NDArray[np.int64], ids: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return row counts, centres (n_hills, 2) and radii, in units of the layout's extent."""
    order = np.argsort(ids)
    slots = order[np.searchsorted(ids, labels, sorter=order).clip(max=ids.size - 1)]
    placed = ids[slots] == labels
    slots, points = slots[placed], points[placed]
    if slots.size:
        # In units of the largest coordinate no square overflows, and around the mean none loses
        # the digits that tell neighbours apart.
        points = points / max(np.abs(points).max(), np.finfo(np.float32).tiny)
        points = points - points.mean(axis=0)
    counts = np.bincount(slots, minlength=ids.size)
    centres = _sums(slots, points, ids.size) / np.maximum(counts, 1)[:, None]
    squares = _sums(slots, (points - centres[slots]) ** 2, ids.size).sum(axis=1)
    return counts, centres, 2.0 * np.sqrt(squares / np.maximum(counts, 1) / 2.0)


def _sums(
    slots: NDArray[np.int64], values: NDArray[np.float64], slot_count: int
) -> NDArray[np.float64]:
    columns = [np.bincount(slots, weights=column, minlength=slot_count) for column in values.T]
    return np.stack(columns, axis=1)


def _fit(
    centres: NDArray[np.float64], radii: NDArray[np.float64], grid_size: int
) -> tuple[NDArray[np.float64], float]:
    """Return centres in cells and cells per unit of the radii, the hills' box in the middle."""
    reach = REACH * radii[:, None]
    low, high = (centres - reach).min(axis=0), (centres + reach).max(axis=0)
    span, last_cell = float((high - low).max()), grid_size - 1
    # Layouts are float32: closer than that resolves, positions differ by rounding alone.
    scale = last_cell / span if span > np.finfo(np.float32).eps else 0.0
    cells = last_cell / 2.0 + (centres - (low + high) / 2.0) * scale
    return np.clip(cells, 0.0, last_cell), scale


def _check(
    points: NDArray[np.float64],
    labels: NDArray[np.int64],
    ids: NDArray[np.int64],
    grid_size: int,
) -> None:
    if points.ndim != 2 or points.shape[1] != 2 or labels.shape != points.shape[:1]:
        raise InvalidLayout("positions must be pairs, and as many as labels", field="positions")
    if not np.isfinite(points).all():
        raise InvalidLayout("positions must be finite", field="positions")
    if ids.ndim != 1 or np.unique(ids).size != ids.size:
        raise InvalidLayout("cluster ids must be distinct", field="cluster_ids")
    if grid_size < 2:
        raise InvalidLayout(
            f"a grid has at least 2 cells a side, not {grid_size}", field="grid_size"
        )
