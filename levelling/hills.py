"""Where clusters stand on the grid, how wide and how high."""

from __future__ import annotations

from collections.abc import Sequence
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
    (hills,) = place_layers(positions, [labels], [cluster_ids], grid_size)
    return hills


def place_layers(
    positions: ArrayLike,
    labels: Sequence[ArrayLike],
    cluster_ids: Sequence[ArrayLike],
    grid_size: int,
    *,
    frame: int = 0,
) -> list[Hills]:
    """Return the hills of several labellings of the same rows, all on one map.

    Each as `place_hills` does, but positions map to cells as they do for the labelling `frame`
    alone. Of the others a hill may be wider, and one whose centre falls outside stands at the edge.

    Parameters
    ----------
    positions : array_like of shape (n_rows, 2)
        The 2-D layout, in any unit; finite.
    labels : sequence of array_like of shape (n_rows,), int
        Of each labelling, the cluster of each row, -1 for noise.
    cluster_ids : sequence of array_like of shape (n_hills,), int
        Of each labelling, the clusters to place, distinct.
    grid_size : int
        Cells along each side, at least 2.
    frame : int
        Which of the labellings gives the map.

    Raises
    ------
    InvalidLayout
        As `place_hills`.
    """
    points = np.asarray(positions, dtype=np.float64)
    owners = [np.asarray(one) for one in labels]
    ids = [np.asarray(one, dtype=np.int64) for one in cluster_ids]
    for rows, wanted in zip(owners, ids, strict=True):
        _check(points, rows, wanted, grid_size)
    if not ids[frame].size:
        frame = next((index for index, one in enumerate(ids) if one.size), frame)
    points = _normalized(points, np.isin(owners[frame], ids[frame]))
    moments = [
        _cluster_moments(points, rows, wanted) for rows, wanted in zip(owners, ids, strict=True)
    ]
    grid = _Grid.around(*moments[frame][1:], grid_size)
    return [grid.hills(wanted, *one) for wanted, one in zip(ids, moments, strict=True)]


def _normalized(points: NDArray[np.float64], placed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return positions relative to the mean and the largest coordinate of the placed rows.

    In units of the largest coordinate no square overflows, and around the mean none loses the
    digits that tell neighbours apart.
    """
    if not placed.any():
        return points
    largest = max(np.abs(points[placed]).max(), np.finfo(np.float32).tiny)
    with np.errstate(over="ignore"):  # of rows that are not placed
        points = points / largest
    centred: NDArray[np.float64] = points - points[placed].mean(axis=0)
    return centred


def _cluster_moments(
    points: NDArray[np.float64], labels: NDArray[np.int64], ids: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return row counts, centres (n_hills, 2) and radii, in units of the points."""
    if not ids.size:
        return np.empty(0, np.int64), np.empty((0, 2)), np.empty(0)
    order = np.argsort(ids)
    slots = order[np.searchsorted(ids, labels, sorter=order).clip(max=ids.size - 1)]
    placed = ids[slots] == labels
    slots, points = slots[placed], points[placed]
    counts = np.bincount(slots, minlength=ids.size)
    centres = _sums(slots, points, ids.size) / np.maximum(counts, 1)[:, None]
    squares = _sums(slots, (points - centres[slots]) ** 2, ids.size).sum(axis=1)
    return counts, centres, 2.0 * np.sqrt(squares / np.maximum(counts, 1) / 2.0)


def _sums(
    slots: NDArray[np.int64], values: NDArray[np.float64], slot_count: int
) -> NDArray[np.float64]:
    columns = [np.bincount(slots, weights=column, minlength=slot_count) for column in values.T]
    return np.stack(columns, axis=1)


@dataclass(frozen=True, eq=False)
class _Grid:
    """How points map to cells: `middle` goes to the middle, `scale` is in cells a unit."""

    size: int
    middle: NDArray[np.float64]
    scale: float

    @classmethod
    def around(cls, centres: NDArray[np.float64], radii: NDArray[np.float64], size: int) -> _Grid:
        """Return the grid in whose middle the box of these hills is, as large as it may be."""
        if not radii.size:
            return cls(size, np.zeros(2), 0.0)
        reach = REACH * radii[:, None]
        low, high = (centres - reach).min(axis=0), (centres + reach).max(axis=0)
        span = float((high - low).max())
        # Layouts are float32: closer than that resolves, positions differ by rounding alone.
        scale = (size - 1) / span if span > np.finfo(np.float32).eps else 0.0
        return cls(size, (low + high) / 2.0, scale)

    def hills(
        self,
        ids: NDArray[np.int64],
        counts: NDArray[np.int64],
        centres: NDArray[np.float64],
        radii: NDArray[np.float64],
    ) -> Hills:
        """Return clusters as hills in cells."""
        last_cell = self.size - 1
        cells = last_cell / 2.0 + (centres - self.middle) * self.scale
        cells = np.clip(cells, 0.0, last_cell)
        return Hills(
            cluster_ids=ids,
            x=cells[:, 0],
            z=cells[:, 1],
            radius=np.maximum(radii * self.scale, SMALLEST_RADIUS),
            height=HIGHEST * counts / max(counts.max(initial=0), 1),
        )


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
