"""Calls of the cluster service: requests, and their answers taken apart."""

from __future__ import annotations

from contextlib import asynccontextmanager

import numpy as np

from cluster_svc.compute_options import ComputeOptions
from cluster_svc.engine import ComputeEngine
from cluster_svc.servicer import SERVICE, ClusterServicer
from cluster_svc.uploads import Limits
from level_rpc.streams import exchange
from level_rpc.tensors import ArrayAssembler, split_array
from level_rpc.testing import running_server
from levelapi.cluster.v1 import cluster_service_pb2 as messages
from levelapi.cluster.v1 import cluster_service_pb2_grpc

IDLE_SECONDS = 60
TWO_THREADS = ComputeOptions(thread_count=2)


def blobs(rows=400, dimensions=24, seed=0):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(5, dimensions))
    return (centres[np.arange(rows) % 5] + 0.1 * random.normal(size=(rows, dimensions))).astype(
        "f4"
    )


def slow_rows():
    """So many loose rows that exact DBSCAN takes several seconds."""
    return np.random.default_rng(0).normal(size=(20_000, 200)).astype("f4")


@asynccontextmanager
async def running(queue_limit=4, options=TWO_THREADS, **limits):
    """Yield the engine, a stub, and close both."""
    engine = ComputeEngine(options, queue_limit=queue_limit)
    async with running_server(SERVICE, ClusterServicer(engine, Limits(**limits))) as channel:
        yield engine, cluster_service_pb2_grpc.ClusterServiceStub(channel)


async def cluster_requests(vectors, graph=None, **config):
    shape = graph_shape(graph) if graph else None
    yield messages.ClusterRequest(
        config=messages.ClusterConfig(
            row_count=len(vectors),
            dimension_count=vectors.shape[1],
            graph_shape=shape,
            **config,
        )
    )
    for block in split_array(vectors):
        yield messages.ClusterRequest(vectors=block)
    if graph:
        for part in graph_blocks(graph):
            yield messages.ClusterRequest(graph=part)


async def layout_requests(graph, start=None, labels=None, fixed=None, **config):
    yield messages.LayOutRequest(
        config=messages.LayOutConfig(
            graph_shape=graph_shape(graph),
            has_start_positions=start is not None,
            has_labels=labels is not None,
            has_fixed_rows=fixed is not None,
            **config,
        )
    )
    for part in graph_blocks(graph):
        yield messages.LayOutRequest(graph=part)
    for name, array in {"start_positions": start, "labels": labels, "fixed_rows": fixed}.items():
        for block in () if array is None else split_array(array):
            yield messages.LayOutRequest(**{name: block})


async def assign_requests(model, vectors, **config):
    given = {
        "row_count": len(vectors),
        "dimension_count": vectors.shape[1],
        "landmark_count": len(model.labels),
        "has_positions": model.positions is not None,
    }
    yield messages.AssignRequest(config=messages.AssignConfig(**(given | config)))
    for name in ("vectors", "labels", "reaches", "positions"):
        array = getattr(model, name)
        for block in () if array is None else split_array(array):
            yield messages.AssignRequest(model=messages.ModelBlock(**{name: block}))
    for block in split_array(vectors):
        yield messages.AssignRequest(vectors=block)


def graph_shape(graph):
    return messages.GraphShape(
        row_count=graph.row_count,
        node_count=graph.node_count,
        neighbor_count=graph.neighbor_count,
    )


def graph_blocks(graph):
    arrays = {"row_nodes": graph.node_of_row, "indices": graph.indices}
    for name, array in {**arrays, "distances": graph.distances}.items():
        for block in split_array(array):
            yield messages.GraphBlock(**{name: block})


async def collect(method, requests):
    return [response async for response in exchange(method, requests, IDLE_SECONDS)]


def kinds(responses):
    return [response.WhichOneof("payload") for response in responses]


def only(responses, kind):
    return [getattr(response, kind) for response in responses if response.HasField(kind)]


def assemble(dtype, blocks, rows, *row_shape):
    assembler = ArrayAssembler("array", dtype, rows, row_shape)
    for block in blocks:
        assembler.add(block)
    return assembler.finish()


def parameter(name, **value):
    return messages.Parameter(name=name, **value)


def layers_of(responses):
    """Return each layer with its clusters and blocks of rows."""
    layers = []
    for response in responses:
        match response.WhichOneof("payload"):
            case "layer":
                layers.append((response.layer, [], []))
            case "cluster":
                layers[-1][1].append(response.cluster)
            case "rows":
                layers[-1][2].append(response.rows)
    return layers


def terrain_labels(responses, rows):
    ((_, _, blocks),) = [one for one in layers_of(responses) if one[0].is_terrain_layer]
    return assemble(np.int32, [block.labels for block in blocks], rows)


def frames_of(responses, rows):
    """Return each frame with its positions."""
    frames = []
    for response in responses:
        if response.HasField("frame"):
            frames.append((response.frame, []))
        elif response.HasField("positions"):
            frames[-1][1].append(response.positions)
    return [(frame, assemble(np.float32, blocks, rows, 2)) for frame, blocks in frames]
