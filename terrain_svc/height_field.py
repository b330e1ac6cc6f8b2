"""Hills to ground: a sum of Gaussians on a grid, smoothed and scaled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter

from levelling import Hills
from terrain_svc.colors import generate_color
from terrain_svc.errors import InvalidGridSize, InvalidHeightScale, InvalidHill

SMALLEST_GRID, LARGEST_GRID = 2, 2048
MOST_HILLS = 20_000

HIGHEST_GROUND = 10.0
"""The highest point of the ground at the original weights."""

SMOOTHING_CELLS = 1.0
"""The standard deviation of the smoothing, in grid cells."""

# Heights and scales up to this keep any sum of hills within float32.
_LARGEST_FACTOR = 1e12
# Ground that is lower than this has no shape worth scaling up.
_FLAT = 1e-9
# Two profiles of this many hills on the largest grid take 32 MiB.
_HILLS_AT_ONCE = 1024


@dataclass(frozen=True, eq=False)
class Terrain:
    """The ground, and what to draw it with.

    Parameters
    ----------
    heights : ndarray of shape (grid_size, grid_size), float32
        Indexed ``[z][x]``; 0 to 10 at the original weights, above 10 where hills were raised.
    height_scale : float
        What the smoothed sum of hills was multiplied with; pass it to later builds.
    colors : tuple of str
        ``"#rrggbb"``, one for each hill.
    """

    heights: NDArray[np.float32]
    height_scale: float
    colors: tuple[str, ...]


def build_terrain(hills: Hills, grid_size: int = 100, height_scale: float | None = None) -> Terrain:
    """Return the ground under hills.

    ``height_scale * G(sum(height exp(-d^2 / (2 radius^2))))`` at every cell, where d is the
    distance to a hill's centre and G a Gaussian filter with a standard deviation of one cell that
    mirrors the ground at the edge.

    Parameters
    ----------
    hills : Hills
        At most 20,000, at the weights to build for.
    grid_size : int
        Cells along each side, 2 to 2,048.
    height_scale : float, optional
        Above 0. When not given, it is chosen so that the highest ground is 10. Pass the first
        build's to later ones: only then does lowering a hill lower the ground and leave the rest.

    Returns
    -------
    Terrain
        Flat, with a scale of 1, when no hill has a height above 0.

    Raises
    ------
    InvalidGridSize, InvalidHill, InvalidHeightScale
        If an argument is out of its range.
    """
    _check(hills, grid_size, height_scale)
    field = np.zeros((grid_size, grid_size))
    for first in range(0, hills.x.size, _HILLS_AT_ONCE):
        part = slice(first, first + _HILLS_AT_ONCE)
        add_gaussian_hill(
            field, hills.x[part], hills.z[part], hills.radius[part], hills.height[part]
        )
    field = gaussian_filter(field, SMOOTHING_CELLS, mode="reflect")
    scale = _choose_scale(field) if height_scale is None else height_scale
    return Terrain((field * scale).astype(np.float32), scale, _colors(hills))


def add_gaussian_hill(
    field: NDArray[np.float64], x: ArrayLike, z: ArrayLike, radius: ArrayLike, height: ArrayLike
) -> None:
    """Add a hill, or many at once, to a height field, in place.

    A Gaussian of two variables is the product of two of one, so a sum of hills is one product of
    two matrices: exact, and as fast as the machine multiplies.

    Parameters
    ----------
    field : ndarray of shape (n_z, n_x), float64
        The ground, indexed ``[z][x]``.
    x, z : array_like, scalar or of shape (n_hills,)
        Centres, in grid cells.
    radius : array_like, scalar or of shape (n_hills,)
        Standard deviations, in grid cells, above 0.
    height : array_like, scalar or of shape (n_hills,)
        Heights at the centres.
    """
    across = _profiles(x, radius, field.shape[1])
    down = _profiles(z, radius, field.shape[0])
    field += (np.atleast_1d(height)[:, None] * down).T @ across


def _profiles(centers: ArrayLike, radius: ArrayLike, cell_count: int) -> NDArray[np.float64]:
    """Return hills seen along one axis, shape (n_hills, cell_count), 1 at the centre."""
    distances = np.arange(cell_count) - np.atleast_1d(centers)[:, None]
    # A hill far thinner than a cell overflows to infinity, and its flank to the right height, 0.
    with np.errstate(over="ignore"):
        profiles: NDArray[np.float64] = np.exp(
            -0.5 * np.square(distances / np.atleast_1d(radius)[:, None])
        )
    return profiles


def _choose_scale(field: NDArray[np.float64]) -> float:
    highest = float(field.max())
    return HIGHEST_GROUND / highest if highest > _FLAT else 1.0


def _colors(hills: Hills) -> tuple[str, ...]:
    ids = hills.cluster_ids.tolist()
    count = max(ids, default=0) + 1
    return tuple(generate_color(cluster_id, count) for cluster_id in ids)


def _check(hills: Hills, grid_size: int, height_scale: float | None) -> None:
    if not SMALLEST_GRID <= grid_size <= LARGEST_GRID:
        allowed = f"{SMALLEST_GRID} to {LARGEST_GRID}"
        message = f"a grid has {allowed} cells a side, not {grid_size}"
        raise InvalidGridSize(message, grid_size=grid_size, allowed=allowed)
    if height_scale is not None and not 0 < height_scale <= _LARGEST_FACTOR:
        message = f"height_scale must be above 0 and at most {_LARGEST_FACTOR:g}"
        raise InvalidHeightScale(message, field="height_scale")
    if hills.x.size > MOST_HILLS:
        raise InvalidHill(f"a terrain has at most {MOST_HILLS} hills, not {hills.x.size}")
    _refuse(hills, "cluster_id", hills.cluster_ids >= 0, "at least 0: noise is no hill")
    inside = f"from 0 to {grid_size - 1}"
    _refuse(hills, "x", (hills.x >= 0) & (hills.x <= grid_size - 1), inside)
    _refuse(hills, "z", (hills.z >= 0) & (hills.z <= grid_size - 1), inside)
    _refuse(hills, "radius", (hills.radius > 0) & np.isfinite(hills.radius), "finite and above 0")
    allowed_height = (hills.height >= 0) & (hills.height <= _LARGEST_FACTOR)
    _refuse(hills, "height", allowed_height, f"from 0 to {_LARGEST_FACTOR:g}")


def _refuse(hills: Hills, field: str, good: NDArray[np.bool_], allowed: str) -> None:
    if not good.all():
        cluster_id = int(hills.cluster_ids[int(good.argmin())])
        message = f"the {field} of the hill of cluster {cluster_id} must be {allowed}"
        raise InvalidHill(message, cluster_id=cluster_id, field=field)
