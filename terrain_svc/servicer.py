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
from levelling import Groups, Hills, Target, TargetKind, measure
from levelling.solver import LevelCurve, Problem, Solution, level_curve, solve
from terrain_svc.errors import InvalidProblem
from terrain_svc.height_field import Terrain, build_terrain

SERVICE = Service(
    name="levelapi.terrain.v1.TerrainService",
    add_to_server=terrain_service_pb2_grpc.add_TerrainServiceServicer_to_server,
)

# Each build multiplies matrices on all cores; more at once would only share them, and memory.
_CONCURRENT_CALLS = 2

MOST_CLUSTERS = 20_000
MOST_CURVE_STEPS = 200

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

    async def Solve(
        self,
        request: messages.SolveRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> messages.SolveResponse:
        """Return the sizes that meet a target, or come nearest to it."""
        return await self._run(_solve, request)

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


def _solve(request: messages.SolveRequest) -> messages.SolveResponse:
    _check_size(request)
    problem = _problem(request)
    answer = _solved(solve(problem))
    if request.HasField("curve_step_count"):
        curve = level_curve(problem, request.curve_step_count)
        answer.curve.extend(_steps(curve))
        answer.default_step = curve.default_step
    return answer


def _check_size(request: messages.SolveRequest) -> None:
    if len(request.clusters) > MOST_CLUSTERS:
        message = f"at most {MOST_CLUSTERS:,} clusters can be solved for, not"
        raise InvalidProblem(f"{message} {len(request.clusters):,}", field="clusters")
    steps = request.curve_step_count
    if request.HasField("curve_step_count") and not 2 <= steps <= MOST_CURVE_STEPS:
        message = f"a curve has 2 to {MOST_CURVE_STEPS} steps, not {steps}"
        raise InvalidProblem(message, field="curve_step_count")


def _problem(request: messages.SolveRequest) -> Problem:
    clusters = request.clusters
    costs = None
    if any(one.HasField("row_cost") for one in clusters):
        costs = np.array([one.row_cost for one in clusters], dtype=np.float64)
    upper = [one.upper if one.HasField("upper") else np.inf for one in clusters]
    return Problem(
        cluster_ids=np.array([one.cluster_id for one in clusters], dtype=np.int64),
        row_counts=np.array([one.row_count for one in clusters], dtype=np.int64),
        target=_target(request.target),
        total=request.total if request.HasField("total") else None,
        max_repeat=request.max_repeat if request.HasField("max_repeat") else None,
        lower=np.array([one.lower for one in clusters], dtype=np.float64),
        upper=np.array(upper, dtype=np.float64),
        row_costs=costs,
        whole_numbers=request.whole_numbers,
    )


def _target(target: messages.SolveTarget) -> Target:
    kind = target.WhichOneof("kind")
    if kind is None:
        return Target()
    if kind == "shares":
        shares = {one.cluster_id: one.share for one in target.shares.shares}
        return Target(TargetKind.CUSTOM, shares=shares)
    kinds = {
        "flatness": TargetKind.FLATNESS,
        "gini": TargetKind.GINI,
        "alpha": TargetKind.TEMPERED,
    }
    return Target(kinds[kind], getattr(target, kind))


def _solved(solution: Solution) -> messages.SolveResponse:
    counts = [None] * len(solution.sizes) if solution.counts is None else solution.counts.tolist()
    columns = (solution.cluster_ids.tolist(), solution.sizes.tolist(), solution.weights.tolist())
    return messages.SolveResponse(
        clusters=[
            messages.SolvedCluster(cluster_id=one, size=size, weight=weight, row_count=count)
            for one, size, weight, count in zip(*columns, counts, strict=True)
        ],
        unmet=solution.unmet,
        binding=solution.binding,
        gini=solution.gini,
        flatness=solution.flatness,
        effective_clusters=solution.effective_clusters,
        effective_sample_size=solution.effective_sample_size,
        total=solution.total,
        cost=solution.cost,
    )


def _steps(curve: LevelCurve) -> list[messages.CurveStep]:
    figures = {name: values.tolist() for name, values in vars(curve).items() if np.ndim(values)}
    return [
        messages.CurveStep(**dict(zip(figures, step, strict=True)))
        for step in zip(*figures.values(), strict=True)
    ]
