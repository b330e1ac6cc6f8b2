"""Request streams to jobs: the config is checked before any array is taken."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from cluster_svc.assign_model import AssignModel
from cluster_svc.exemplars import DEFAULT_EXEMPLAR_COUNT, ExemplarKind
from cluster_svc.graph import DEFAULT_NEIGHBOR_COUNT, NeighborGraph
from cluster_svc.jobs import AssignJob, ClusterJob, Job, LayOutJob
from cluster_svc.progress import Progress, Stage
from cluster_svc.registry import choose_algorithm
from cluster_svc.request_limits import (
    MAX_ROW_COUNT,
    MAX_SEED,
    check_clustering,
    check_range,
    check_shape,
)
from cluster_svc.servicer.catalogue import decode_parameters
from cluster_svc.uploads import Limits, Upload
from cluster_svc.workload import Workload, receiving_share
from level_rpc.errors import FieldInvalid
from levelapi.cluster.v1 import cluster_service_pb2 as messages

_EXEMPLAR_KINDS = {
    messages.EXEMPLAR_KIND_UNSPECIFIED: ExemplarKind.CENTRAL,
    messages.EXEMPLAR_KIND_CENTRAL: ExemplarKind.CENTRAL,
    messages.EXEMPLAR_KIND_DIVERSE: ExemplarKind.DIVERSE,
}

# Of a LayOut and of an Assign call.
_LAYOUT_RECEIVING_SHARE = 0.05
_ASSIGN_RECEIVING_SHARE = 0.3


@dataclass(frozen=True)
class Received:
    """What a request stream asked for, and which part of the call's time receiving it took."""

    job: Job
    receiving_share: float


Receiving: TypeAlias = AsyncGenerator[Progress | Received, None]


async def receive_cluster(upload: Upload, limits: Limits) -> Receiving:
    """Yield progress, then the job of a Cluster call."""
    config: messages.ClusterConfig = await upload.read_config()
    _check_cluster_config(config)
    parameters = decode_parameters(config)
    choose_algorithm(config.algorithm, parameters)
    vectors = upload.expect_shared("vectors", config.row_count, config.dimension_count)
    has_graph = config.HasField("graph_shape")
    graph = expect_graph(upload, config.graph_shape) if has_graph else None
    share = receiving_share(_workload(config))
    async for fraction in upload.receive():
        yield Progress(Stage.RECEIVING, share * fraction, share)
    job = ClusterJob(
        vectors=vectors(),
        algorithm=config.algorithm,
        parameters=parameters,
        seed=config.random_seed,
        neighbor_count=config.neighbor_count or DEFAULT_NEIGHBOR_COUNT,
        exemplar_count=config.exemplar_count or DEFAULT_EXEMPLAR_COUNT,
        exemplar_kind=_EXEMPLAR_KINDS[config.exemplar_kind],
        default_eps=limits.default_eps,
        graph=None if graph is None else graph(),
    )
    yield Received(job, share)


async def receive_layout(upload: Upload) -> Receiving:
    """Yield progress, then the job of a LayOut call."""
    config: messages.LayOutConfig = await upload.read_config()
    _check_layout_config(config)
    graph = expect_graph(upload, config.graph_shape)
    rows = config.graph_shape.row_count
    start = (
        upload.expect("start_positions", np.float32, rows, 2)
        if config.has_start_positions
        else None
    )
    labels = upload.expect("labels", np.int32, rows) if config.has_labels else None
    fixed = upload.expect("fixed_rows", np.uint8, rows) if config.has_fixed_rows else None
    async for fraction in upload.receive():
        yield Progress(Stage.RECEIVING, _LAYOUT_RECEIVING_SHARE * fraction, _LAYOUT_RECEIVING_SHARE)
    job = LayOutJob(
        graph=graph(),
        seed=config.random_seed,
        start=None if start is None else start(),
        labels=None if labels is None else labels(),
        fixed=None if fixed is None else fixed() != 0,
        wants_drafts=config.wants_drafts,
    )
    yield Received(job, _LAYOUT_RECEIVING_SHARE)


async def receive_assign(upload: Upload) -> Receiving:
    """Yield progress, then the job of an Assign call."""
    config: messages.AssignConfig = await upload.read_config()
    _check_assign_config(config)
    count, dimensions = config.landmark_count, config.dimension_count
    landmarks = upload.expect("model.vectors", np.float32, count, dimensions)
    labels = upload.expect("model.labels", np.int32, count)
    reaches = upload.expect("model.reaches", np.float32, count)
    has_positions = config.has_positions
    positions = upload.expect("model.positions", np.float32, count, 2) if has_positions else None
    vectors = upload.expect_shared("vectors", config.row_count, dimensions)
    async for fraction in upload.receive():
        yield Progress(Stage.RECEIVING, _ASSIGN_RECEIVING_SHARE * fraction, _ASSIGN_RECEIVING_SHARE)
    model = AssignModel(
        vectors=landmarks(),
        labels=labels(),
        reaches=reaches(),
        positions=None if positions is None else positions(),
    )
    yield Received(AssignJob(model, vectors()), _ASSIGN_RECEIVING_SHARE)


def expect_graph(upload: Upload, shape: messages.GraphShape) -> Callable[[], NeighborGraph]:
    """Return what gives the announced graph once all of it has come."""
    return upload.expect_graph(shape.row_count, shape.node_count, shape.neighbor_count)


def _workload(config: messages.ClusterConfig) -> Workload:
    return Workload(
        row_count=config.row_count,
        dimension_count=config.dimension_count,
        neighbor_count=config.neighbor_count or DEFAULT_NEIGHBOR_COUNT,
        algorithm=config.algorithm,
        has_graph=config.HasField("graph_shape"),
    )


def _check_cluster_config(config: messages.ClusterConfig) -> None:
    check_shape(config.row_count, config.dimension_count)
    check_clustering(
        config.random_seed,
        config.neighbor_count or DEFAULT_NEIGHBOR_COUNT,
        config.exemplar_count or DEFAULT_EXEMPLAR_COUNT,
    )
    if config.exemplar_kind not in _EXEMPLAR_KINDS:
        raise FieldInvalid(
            f"config.exemplar_kind {config.exemplar_kind} is unknown; send one that ExemplarKind"
            " names",
            field="config.exemplar_kind",
        )


def _check_layout_config(config: messages.LayOutConfig) -> None:
    check_range("random_seed", config.random_seed, 0, MAX_SEED)
    if config.has_fixed_rows and not config.has_start_positions:
        raise FieldInvalid(
            "config.has_fixed_rows needs has_start_positions: rows stay where they start",
            field="config.has_fixed_rows",
        )


def _check_assign_config(config: messages.AssignConfig) -> None:
    check_shape(config.row_count, config.dimension_count)
    check_range("landmark_count", config.landmark_count, 1, MAX_ROW_COUNT)
