"""Messages to hills and groups, and back; the only file here that knows gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any, TypeVar

import grpc
import numpy as np

from level_rpc.server import Service
from level_rpc.tensors import split_array
from levelapi.terrain.v1 import terrain_service_pb2 as messages
from levelapi.terrain.v1 import terrain_service_pb2_grpc
from levelling import Groups, Hills, measure
from terrain_svc.height_field import Terrain, build_terrain

SERVICE = Service(
    name="levelapi.terrain.v1.TerrainService",
    add_to_server=terrain_service_pb2_grpc.add_TerrainServiceServicer_to_server,
)

# Each build multiplies matrices on all cores; more at once would only share them, and memory.
_CONCURRENT_CALLS = 2

_Result = TypeVar("_Result")


class TerrainServicer(terrain_service_pb2_grpc.TerrainServiceServicer):
    """Serves ``levelapi.terrain.v1.TerrainService``."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_CONCURRENT_CALLS, thread_name_prefix="terrain")

    async def BuildTerrain(
        self,
        request: messages.BuildTerrainRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[messages.BuildTerrainResponse]:
        """Yield the header, then blocks of height rows in order."""
        terrain = await self._run(_build, request)
        yield messages.BuildTerrainResponse(header=_header(request, terrain))
        for block in split_array(terrain.heights):
            yield messages.BuildTerrainResponse(heights=block)

    async def Measure(
        self,
        request: messages.MeasureRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> messages.MeasureResponse:
        """Return the figures of balance."""
        return await self._run(_measure, request)

    async def close(self) -> None:
        """Let go of the threads; a build that is under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[Any], _Result], request: object) -> _Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, work, request)


def _build(request: messages.BuildTerrainRequest) -> Terrain:
    hills = Hills(
        cluster_ids=np.array([hill.cluster_id for hill in request.hills], dtype=np.int64),
        x=np.array([hill.x for hill in request.hills], dtype=np.float64),
        z=np.array([hill.z for hill in request.hills], dtype=np.float64),
        radius=np.array([hill.radius for hill in request.hills], dtype=np.float64),
        height=np.array([hill.height for hill in request.hills], dtype=np.float64),
    )
    scale = request.height_scale if request.HasField("height_scale") else None
    return build_terrain(hills, request.grid_size, scale)


def _header(request: messages.BuildTerrainRequest, terrain: Terrain) -> messages.TerrainHeader:
    return messages.TerrainHeader(
        height_scale=terrain.height_scale,
        colors=[
            messages.HillColor(cluster_id=hill.cluster_id, color=color)
            for hill, color in zip(request.hills, terrain.colors, strict=True)
        ],
    )


def _measure(request: messages.MeasureRequest) -> messages.MeasureResponse:
    groups = Groups(
        cluster_ids=np.array([group.cluster_id for group in request.groups], dtype=np.int64),
        row_weights=np.array([group.weight for group in request.groups], dtype=np.float64),
        row_counts=np.array([group.row_count for group in request.groups], dtype=np.int64),
    )
    return messages.MeasureResponse(**asdict(measure(groups)))
