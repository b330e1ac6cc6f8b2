"""Messages to jobs, events to messages; the only file here that knows gRPC."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, nullcontext
from dataclasses import dataclass
from io import FileIO
from typing import Any, TypeAlias

import grpc
import numpy as np

from cluster_svc.algorithms.specification import Algorithm, ParameterSpec, ParameterType, Value
from cluster_svc.clusters import Clustering, Stage
from cluster_svc.engine import ComputeEngine
from cluster_svc.errors import TooFewRows
from cluster_svc.exemplars import DEFAULT_EXEMPLAR_COUNT, MAX_EXEMPLAR_COUNT
from cluster_svc.graph import DEFAULT_NEIGHBOR_COUNT, NeighborGraph
from cluster_svc.jobs import (
    Clustered,
    ClusterJob,
    Event,
    GraphBuilt,
    Job,
    LaidOut,
    LayOutJob,
    Progressed,
)
from cluster_svc.pacing import paced
from cluster_svc.registry import ALGORITHMS, choose_algorithm
from cluster_svc.shared_array import share_array
from cluster_svc.uploads import MAX_ROW_COUNT, Limits, Upload, check_range
from level_rpc.errors import FieldInvalid
from level_rpc.server import Service
from level_rpc.tensors import pack_tensor, split_array
from levelapi.cluster.v1 import cluster_service_pb2 as messages
from levelapi.cluster.v1 import cluster_service_pb2_grpc

SERVICE = Service(
    name="levelapi.cluster.v1.ClusterService",
    add_to_server=cluster_service_pb2_grpc.add_ClusterServiceServicer_to_server,
)

_Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

MAX_DIMENSION_COUNT = 65_536
MIN_NEIGHBOR_COUNT, MAX_NEIGHBOR_COUNT = 2, 200
MAX_SEED = 2**32 - 1

# The contract promises progress once a second.
_PROGRESS_SECONDS = 0.5

# Of the whole call; the rest is computing.
_RECEIVING_SHARE = 0.05

# Three arrays share a message of rows.
_ROW_BLOCK_BYTES = 2**18

_STAGES = {stage: getattr(messages.Progress, f"STAGE_{stage.name}") for stage in Stage}
_TYPES = {type_: getattr(messages, f"PARAMETER_TYPE_{type_.name}") for type_ in ParameterType}


@dataclass(frozen=True)
class _Received:
    """What a request stream asked for, its vectors in shared memory."""

    job: Job
    vectors: FileIO | None = None


_Receiving: TypeAlias = AsyncGenerator[Progressed | _Received, None]


class ClusterServicer(cluster_service_pb2_grpc.ClusterServiceServicer):
    """Serves ``levelapi.cluster.v1.ClusterService`` with one compute process.

    Parameters
    ----------
    engine
        Runs the jobs; closed with the servicer.
    limits
        What is refused.
    """

    def __init__(self, engine: ComputeEngine, limits: Limits | None = None) -> None:
        self._engine = engine
        self._limits = limits or Limits()

    async def ListAlgorithms(
        self, request: messages.ListAlgorithmsRequest, context: _Context
    ) -> messages.ListAlgorithmsResponse:
        """Return the registry."""
        return messages.ListAlgorithmsResponse(algorithms=map(_algorithm, ALGORITHMS.values()))

    async def CheckParameters(
        self, request: messages.CheckParametersRequest, context: _Context
    ) -> messages.CheckParametersResponse:
        """Return the parameters in effect, unless one of those given is wrong."""
        _, complete = choose_algorithm(request.algorithm, _decode_parameters(request))
        return messages.CheckParametersResponse(parameters=_parameters(complete))

    async def Cluster(
        self, request_iterator: AsyncIterator[messages.ClusterRequest], context: _Context
    ) -> AsyncIterator[messages.ClusterResponse]:
        """Yield progress, the graph, the outcome, then clusters and rows of the one layer."""
        progress = _ProgressClock()
        with self._engine.place():
            async with aclosing(self._paced(self._receive_cluster(request_iterator))) as events:
                async for event in events:
                    match event:
                        case GraphBuilt(graph):
                            for response in _graph_responses(graph):
                                yield response
                        case Clustered(clustering):
                            for response in _clustering_responses(clustering):
                                yield response
                        case _:
                            yield messages.ClusterResponse(progress=progress.message(event))

    async def LayOut(
        self, request_iterator: AsyncIterator[messages.LayOutRequest], context: _Context
    ) -> AsyncIterator[messages.LayOutResponse]:
        """Yield progress, then positions."""
        progress = _ProgressClock()
        with self._engine.place():
            async with aclosing(self._paced(self._receive_layout(request_iterator))) as events:
                async for event in events:
                    if isinstance(event, LaidOut):
                        for block in split_array(event.positions):
                            yield messages.LayOutResponse(positions=block)
                    else:
                        yield messages.LayOutResponse(progress=progress.message(event))

    async def close(self) -> None:
        """End the compute process."""
        await self._engine.close()

    def _paced(self, receiving: _Receiving) -> AsyncGenerator[Event | None, None]:
        return paced(self._compute(receiving), _PROGRESS_SECONDS)

    async def _compute(self, receiving: _Receiving) -> AsyncGenerator[Event, None]:
        """Yield progress of receiving, then the events of the job that was received."""
        async with aclosing(receiving) as parts:
            async for part in parts:
                if isinstance(part, Progressed):
                    yield part
                else:
                    received = part
        yield Progressed(Stage.QUEUED, _RECEIVING_SHARE)
        with received.vectors or nullcontext():
            async with aclosing(self._engine.run(received.job, received.vectors)) as events:
                async for event in events:
                    yield _of_whole_call(event)

    async def _receive_cluster(
        self, requests: AsyncIterator[messages.ClusterRequest]
    ) -> _Receiving:
        upload = Upload(requests, self._limits)
        config: messages.ClusterConfig = await upload.read_config()
        _check_cluster_config(config)
        parameters = _decode_parameters(config)
        choose_algorithm(config.algorithm, parameters)
        vectors = upload.expect("vectors", np.float32, config.row_count, config.dimension_count)
        has_graph = config.HasField("graph_shape")
        graph = _expect_graph(upload, config.graph_shape) if has_graph else None
        async for fraction in upload.receive():
            yield Progressed(Stage.RECEIVING, _RECEIVING_SHARE * fraction)
        job = ClusterJob(
            shape=(config.row_count, config.dimension_count),
            algorithm=config.algorithm,
            parameters=parameters,
            seed=config.random_seed,
            neighbor_count=config.neighbor_count or DEFAULT_NEIGHBOR_COUNT,
            exemplar_count=config.exemplar_count or DEFAULT_EXEMPLAR_COUNT,
            default_eps=self._limits.default_eps,
            graph=None if graph is None else graph(),
        )
        yield _Received(job, await asyncio.to_thread(share_array, vectors.finish()))

    async def _receive_layout(self, requests: AsyncIterator[messages.LayOutRequest]) -> _Receiving:
        upload = Upload(requests, self._limits)
        config: messages.LayOutConfig = await upload.read_config()
        check_range("random_seed", config.random_seed, 0, MAX_SEED)
        graph = _expect_graph(upload, config.graph_shape)
        rows = config.graph_shape.row_count
        has_start = config.has_start_positions
        start = upload.expect("start_positions", np.float32, rows, 2) if has_start else None
        async for fraction in upload.receive():
            yield Progressed(Stage.RECEIVING, _RECEIVING_SHARE * fraction)
        begin = None if start is None else start.finish()
        yield _Received(LayOutJob(graph(), config.random_seed, begin))


def _of_whole_call(event: Event) -> Event:
    """Return the event, with the fraction of a job made that of the whole call."""
    if not isinstance(event, Progressed):
        return event
    return Progressed(event.stage, _RECEIVING_SHARE + (1 - _RECEIVING_SHARE) * event.fraction)


class _ProgressClock:
    """Makes Progress messages of which the fraction never falls and the time is right."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._last = Progressed(Stage.RECEIVING, 0.0)

    def message(self, event: Event | None) -> messages.Progress:
        """Return progress as of the event; None repeats the last."""
        if isinstance(event, Progressed):
            self._last = Progressed(event.stage, max(event.fraction, self._last.fraction))
        message = messages.Progress(
            stage=_STAGES[self._last.stage], fraction_done=self._last.fraction
        )
        message.elapsed.FromNanoseconds(int((time.monotonic() - self._began) * 1e9))
        return message


def _expect_graph(upload: Upload, shape: messages.GraphShape) -> Callable[[], NeighborGraph]:
    return upload.expect_graph(shape.row_count, shape.node_count, shape.neighbor_count)


def _check_cluster_config(config: messages.ClusterConfig) -> None:
    if config.row_count == 0:
        raise TooFewRows("there are no rows to cluster", row_count=0, minimum_row_count=1)
    check_range("row_count", config.row_count, 1, MAX_ROW_COUNT)
    check_range("dimension_count", config.dimension_count, 1, MAX_DIMENSION_COUNT)
    check_range("random_seed", config.random_seed, 0, MAX_SEED)
    check_range(
        "exemplar_count", config.exemplar_count or DEFAULT_EXEMPLAR_COUNT, 1, MAX_EXEMPLAR_COUNT
    )
    neighbors = config.neighbor_count or DEFAULT_NEIGHBOR_COUNT
    check_range("neighbor_count", neighbors, MIN_NEIGHBOR_COUNT, MAX_NEIGHBOR_COUNT)


def _decode_parameters(
    config: messages.ClusterConfig | messages.CheckParametersRequest,
) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for parameter in config.parameters:
        kind = parameter.WhichOneof("value")
        if kind is None or parameter.name in values:
            what = "has no value" if kind is None else "comes twice"
            raise FieldInvalid(f"parameter '{parameter.name}' {what}", field="config.parameters")
        values[parameter.name] = getattr(parameter, kind)
    return values


def _parameter(name: str, value: Value | None) -> messages.Parameter:
    match value:
        case None:
            return messages.Parameter(name=name)
        case bool():
            return messages.Parameter(name=name, bool_value=value)
        case int():
            return messages.Parameter(name=name, int_value=value)
        case float():
            return messages.Parameter(name=name, float_value=value)
        case str():
            return messages.Parameter(name=name, string_value=value)


def _parameters(values: Mapping[str, Value | None]) -> list[messages.Parameter]:
    return [_parameter(name, value) for name, value in values.items()]


def _algorithm(algorithm: Algorithm) -> messages.Algorithm:
    presets = (
        messages.Preset(
            name=preset.name,
            description=preset.description,
            parameters=_parameters(preset.parameters),
        )
        for preset in algorithm.presets
    )
    return messages.Algorithm(
        name=algorithm.name,
        description=algorithm.description,
        parameters=map(_specification, algorithm.parameters),
        presets=presets,
    )


def _specification(spec: ParameterSpec) -> messages.ParameterSpec:
    return messages.ParameterSpec(
        name=spec.name,
        description=spec.description,
        type=_TYPES[spec.type],
        minimum=spec.minimum,
        maximum=spec.maximum,
        choices=spec.choices,
        default_value=_parameter(spec.name, spec.default),
    )


def _graph_responses(graph: NeighborGraph) -> Iterator[messages.ClusterResponse]:
    shape = messages.GraphShape(
        row_count=graph.row_count,
        node_count=graph.node_count,
        neighbor_count=graph.neighbor_count,
    )
    yield messages.ClusterResponse(graph_shape=shape)
    for block in split_array(graph.node_of_row):
        yield messages.ClusterResponse(graph=messages.GraphBlock(row_nodes=block))
    for block in split_array(graph.indices):
        yield messages.ClusterResponse(graph=messages.GraphBlock(indices=block))
    for block in split_array(graph.distances):
        yield messages.ClusterResponse(graph=messages.GraphBlock(distances=block))


def _clustering_responses(clustering: Clustering) -> Iterator[messages.ClusterResponse]:
    yield messages.ClusterResponse(outcome=_outcome(clustering))
    layer = messages.Layer(
        layer_index=0,
        first_cluster_id=0,
        cluster_count=len(clustering.stats.sizes),
        is_terrain_layer=True,
    )
    yield messages.ClusterResponse(layer=layer)
    for cluster_id in range(layer.cluster_count):
        yield messages.ClusterResponse(cluster=_cluster_message(clustering, cluster_id))
    arrays = (clustering.labels, clustering.nearest, clustering.strengths)
    blocks = zip(*(split_array(array, _ROW_BLOCK_BYTES) for array in arrays), strict=True)
    for labels, nearest, strengths in blocks:
        rows = messages.RowBlock(labels=labels, nearest=nearest, strengths=strengths)
        yield messages.ClusterResponse(rows=rows)


def _outcome(clustering: Clustering) -> messages.ClusterOutcome:
    curve = (
        messages.EpsPoint(
            eps=point.eps,
            cluster_count=point.cluster_count,
            noise_fraction=point.noise_fraction,
            largest_cluster_fraction=point.largest_fraction,
        )
        for point in clustering.eps_curve
    )
    return messages.ClusterOutcome(
        algorithm=clustering.algorithm,
        reason=clustering.reason,
        parameters=_parameters(clustering.parameters),
        noise_count=clustering.noise_count,
        eps_curve=curve,
        layer_count=1,
        graph_recall=clustering.graph_recall,
    )


def _cluster_message(clustering: Clustering, cluster_id: int) -> messages.Cluster:
    stats = clustering.stats
    return messages.Cluster(
        cluster_id=cluster_id,
        size=int(stats.sizes[cluster_id]),
        centroid=pack_tensor(stats.centroids[cluster_id]),
        spread=float(stats.spreads[cluster_id]),
        exemplar_row_ids=clustering.exemplars[cluster_id].tolist(),
        parent_id=-1,
    )
