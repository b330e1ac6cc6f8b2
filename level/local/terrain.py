"""Hills to ground in this process."""

import asyncio
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gateway.pipeline_types import BuiltTerrain, HillShape


class LocalTerrain:
    """What `Stages` asks of the terrain service."""

    async def build_terrain(
        self, hills: Sequence[HillShape], grid_size: int, height_scale: float | None
    ) -> BuiltTerrain:
        """Return the height field of hills."""
        return await asyncio.to_thread(_build, hills, grid_size, height_scale)

    async def open_terrain(self) -> None:
        """Import what building a terrain needs."""
        await asyncio.to_thread(_import)


def _build(hills: Sequence[HillShape], grid_size: int, height_scale: float | None) -> BuiltTerrain:
    _import()
    from levelling import Hills
    from terrain_svc.height_field import build_terrain

    def column(name: str) -> NDArray[np.float64]:
        return np.array([getattr(hill, name) for hill in hills], dtype=np.float64)

    cluster_ids = np.array([hill.cluster_id for hill in hills], dtype=np.int64)
    shapes = {name: column(name) for name in ("x", "z", "radius", "height")}
    built = build_terrain(Hills(cluster_ids=cluster_ids, **shapes), grid_size, height_scale)
    colors = dict(zip(cluster_ids.tolist(), built.colors, strict=True))
    return BuiltTerrain(built.heights, built.height_scale, colors)


def _import() -> None:
    import terrain_svc.height_field  # noqa: F401
