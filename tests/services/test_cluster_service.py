"""The cluster service through a real server and a real compute process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from cluster_svc.clusters import run_clustering
from cluster_svc.engine import ComputeEngine
from cluster_svc.graph import build_graph
from cluster_svc.layout import lay_out
from cluster_svc.registry import ALGORITHMS
from cluster_svc.servicer import SERVICE, ClusterServicer
from cluster_svc.uploads import Limits
from level_rpc.errors import LevelError
from level_rpc.status import level_errors
from level_rpc.streams import exchange
from level_rpc.tensors import ArrayAssembler, split_array, unpack_tensor
from level_rpc.testing import running_server
from levelapi.cluster.v1 import cluster_service_pb2 as messages
from levelapi.cluster.v1 import cluster_service_pb2_grpc

IDLE_SECONDS = 60
ROOT = Path(__file__).parents[2]


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
async def running(queue_limit=4, **limits):
    """Yield the engine, a stub, and close both."""
    engine = ComputeEngine(thread_count=1, queue_limit=queue_limit)
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


async def layout_requests(graph, start=None, **config):
    yield messages.LayOutRequest(
        config=messages.LayOutConfig(
            graph_shape=graph_shape(graph), has_start_positions=start is not None, **config
        )
    )
    for part in graph_blocks(graph):
        yield messages.LayOutRequest(graph=part)
    if start is not None:
        for block in split_array(start):
            yield messages.LayOutRequest(start_positions=block)


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


async def test_cluster_answers_what_the_library_finds():
    vectors = blobs()
    async with running() as (_, stub):
        responses = await collect(stub.Cluster, cluster_requests(vectors, exemplar_count=3))
    expected = run_clustering(vectors, exemplar_count=3)
    outcome = only(responses, "outcome")[0]
    assert (outcome.algorithm, outcome.reason) == (expected.algorithm, expected.reason)
    assert outcome.noise_count == expected.noise_count
    assert outcome.graph_recall == 1
    assert len(outcome.eps_curve) == len(expected.eps_curve)
    rows = only(responses, "rows")
    for name in ("labels", "nearest", "strengths"):
        array = getattr(expected, name)
        blocks = [getattr(block, name) for block in rows]
        np.testing.assert_array_equal(assemble(array.dtype, blocks, len(vectors)), array)
    clusters = only(responses, "cluster")
    assert [cluster.size for cluster in clusters] == expected.stats.sizes.tolist()
    assert [cluster.cluster_id for cluster in clusters] == list(range(len(clusters)))
    for cluster, exemplars in zip(clusters, expected.exemplars, strict=True):
        assert list(cluster.exemplar_row_ids) == exemplars.tolist()
        assert cluster.parent_id == -1
        assert not cluster.HasField("stability")
        assert np.linalg.norm(unpack_tensor(cluster.centroid)) == pytest.approx(1, abs=1e-5)


async def test_messages_come_in_the_order_of_the_contract_and_progress_never_falls():
    async with running() as (_, stub):
        responses = await collect(stub.Cluster, cluster_requests(blobs()))
    order = [kind for kind in kinds(responses) if kind != "progress"]
    ranks = ["graph_shape", "graph", "outcome", "layer", "cluster", "rows"]
    assert sorted(order, key=ranks.index) == order
    assert set(order) == set(ranks)
    fractions = [progress.fraction_done for progress in only(responses, "progress")]
    assert fractions == sorted(fractions)


async def test_a_stored_graph_is_used_and_not_sent_back():
    vectors = blobs()
    async with running() as (_, stub):
        responses = await collect(stub.Cluster, cluster_requests(vectors, build_graph(vectors)))
    assert "graph" not in kinds(responses)
    assert only(responses, "layer")[0].cluster_count == 5


async def test_layout_answers_what_the_library_places():
    vectors = np.concatenate([blobs(), blobs()[:50]])
    graph = build_graph(vectors)
    start = np.random.default_rng(0).uniform(size=(len(vectors), 2)).astype("f4")
    async with running() as (_, stub):
        for begin in (None, start):
            responses = await collect(stub.LayOut, layout_requests(graph, begin, random_seed=7))
            positions = assemble(np.float32, only(responses, "positions"), len(vectors), 2)
            np.testing.assert_array_equal(positions, lay_out(graph, seed=7, start=begin))


async def test_a_single_row_is_clustered_and_laid_out():
    vectors = np.ones((1, 4), np.float32)
    async with running() as (_, stub):
        responses = await collect(stub.Cluster, cluster_requests(vectors))
        assert only(responses, "layer")[0].cluster_count == 1
        placed = await collect(stub.LayOut, layout_requests(build_graph(vectors)))
    assert assemble(np.float32, only(placed, "positions"), 1, 2).tolist() == [[0, 0]]


async def test_list_algorithms_gives_the_whole_registry_default_first():
    async with running() as (_, stub):
        answer = await stub.ListAlgorithms(messages.ListAlgorithmsRequest())
    assert [algorithm.name for algorithm in answer.algorithms] == list(ALGORITHMS)
    assert answer.algorithms[0].name == "auto"
    specs = {
        (algorithm.name, spec.name): spec
        for algorithm in answer.algorithms
        for spec in algorithm.parameters
    }
    eps = specs["dbscan", "eps"]
    assert eps.type == messages.PARAMETER_TYPE_FLOAT
    assert eps.default_value.WhichOneof("value") is None
    assert 0 < eps.minimum < eps.maximum == 2
    assert specs["dbscan", "min_samples"].default_value.int_value == 5
    assert all(spec.description for spec in specs.values())


async def test_checked_parameters_come_back_with_defaults():
    request = messages.CheckParametersRequest(
        algorithm="dbscan", parameters=[parameter("min_samples", int_value=9)]
    )
    async with running() as (_, stub):
        answer = await stub.CheckParameters(request)
    values = {one.name: one for one in answer.parameters}
    assert values["min_samples"].int_value == 9
    assert values["eps"].WhichOneof("value") is None


@pytest.mark.parametrize(
    ("algorithm", "given", "reason"),
    [
        ("ward", [], "ALGORITHM_UNKNOWN"),
        ("dbscan", [parameter("eps", float_value=-1)], "PARAMETER_INVALID"),
        ("dbscan", [parameter("epsilon", float_value=1)], "PARAMETER_INVALID"),
        ("kmeans", [parameter("min_samples", string_value="many")], "PARAMETER_INVALID"),
    ],
)
async def test_wrong_parameters_are_refused_before_there_are_vectors(algorithm, given, reason):
    request = messages.CheckParametersRequest(algorithm=algorithm, parameters=given)
    async with running() as (_, stub):
        with pytest.raises(LevelError) as error, level_errors():
            await stub.CheckParameters(request)
    assert error.value.reason == reason


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"algorithm": "ward"}, "ALGORITHM_UNKNOWN"),
        ({"parameters": [parameter("eps", float_value=1)]}, "PARAMETER_INVALID"),
        (
            {"algorithm": "dbscan", "parameters": [parameter("eps", float_value=9)]},
            "PARAMETER_INVALID",
        ),
        ({"parameters": [parameter("resolution")]}, "FIELD_INVALID"),
        ({"neighbor_count": 1}, "FIELD_INVALID"),
        ({"neighbor_count": 201}, "FIELD_INVALID"),
        ({"exemplar_count": 11}, "FIELD_INVALID"),
        ({"random_seed": -1}, "FIELD_INVALID"),
    ],
)
async def test_wrong_configs_are_refused(config, reason):
    async with running() as (_, stub):
        with pytest.raises(LevelError) as caught:
            await collect(stub.Cluster, cluster_requests(blobs(), **config))
    assert caught.value.reason == reason


async def refuse(stub, requests):
    async def stream():
        for request in requests:
            yield request

    with pytest.raises(LevelError) as caught:
        await collect(stub.Cluster, stream())
    return caught.value.reason


async def test_wrong_streams_are_refused():
    vectors = blobs(40, 4)
    config = messages.ClusterRequest(config=messages.ClusterConfig(row_count=40, dimension_count=4))
    half = [messages.ClusterRequest(vectors=b) for b in split_array(vectors[:20])]
    empty = messages.ClusterRequest(config=messages.ClusterConfig(dimension_count=4))
    stray = messages.ClusterRequest(graph=next(graph_blocks(build_graph(vectors))))
    damaged = messages.ClusterRequest(vectors=next(split_array(vectors)))
    damaged.vectors.crc32 ^= 1
    async with running(max_array_bytes=2**20) as (_, stub):
        assert await refuse(stub, half) == "CONFIG_NOT_FIRST"
        assert await refuse(stub, []) == "CONFIG_NOT_FIRST"
        assert await refuse(stub, [config, config]) == "CONFIG_NOT_FIRST"
        assert await refuse(stub, [config, *half]) == "TENSOR_ROWS_MISMATCH"
        assert await refuse(stub, [config, stray]) == "FIELD_INVALID"
        assert await refuse(stub, [config, damaged]) == "TENSOR_CHECKSUM_MISMATCH"
        assert await refuse(stub, [empty]) == "TOO_FEW_ROWS"
        huge = messages.ClusterConfig(row_count=2**30, dimension_count=1000)
        assert await refuse(stub, [messages.ClusterRequest(config=huge)]) == "ARRAY_TOO_LARGE"


async def test_a_damaged_graph_is_refused():
    graph = build_graph(blobs())
    graph.indices[3, 0] = 10**6
    async with running() as (_, stub):
        with pytest.raises(LevelError) as caught:
            await collect(stub.LayOut, layout_requests(graph))
    assert caught.value.reason == "FIELD_INVALID"


async def test_a_silent_client_is_given_up():
    async def silent():
        yield messages.ClusterRequest(
            config=messages.ClusterConfig(row_count=40, dimension_count=4)
        )
        await asyncio.sleep(60)

    async with running(idle_seconds=0.3) as (_, stub):
        with pytest.raises(LevelError) as caught:
            await collect(stub.Cluster, silent())
    assert caught.value.reason == "STREAM_IDLE"


async def until_computing(responses):
    """Read up to the first progress of the search for clusters."""
    async for response in responses:
        if response.progress.stage == messages.Progress.STAGE_NEIGHBORS:
            return


def slow_call(stub):
    return stub.Cluster(cluster_requests(slow_rows()))


async def test_a_crash_fails_the_call_and_the_next_one_works():
    async with running() as (engine, stub):
        call = slow_call(stub)
        await until_computing(call)
        os.kill(engine.process_id, signal.SIGKILL)
        with pytest.raises(Exception, match="ended unexpectedly") as caught:
            async for _ in call:
                pass
        assert caught.value.code().name == "ABORTED"
        responses = await collect(stub.Cluster, cluster_requests(blobs()))
    assert only(responses, "outcome")


async def test_a_process_that_died_between_calls_is_replaced():
    async with running() as (engine, stub):
        before = engine.process_id
        os.kill(before, signal.SIGKILL)
        await wait_until(lambda: not is_running(before))
        responses = await collect(stub.Cluster, cluster_requests(blobs()))
    assert only(responses, "outcome")


async def test_cancelling_ends_the_work_at_once_and_the_next_call_works():
    async with running() as (engine, stub):
        call = slow_call(stub)
        await until_computing(call)
        before = engine.process_id
        call.cancel()
        await wait_until(lambda: not is_running(before))
        responses = await collect(stub.Cluster, cluster_requests(blobs()))
        assert engine.process_id != before
    assert only(responses, "outcome")


async def test_a_full_queue_refuses_before_reading_and_a_waiting_call_is_served():
    async with running(queue_limit=1) as (engine, stub):
        first = slow_call(stub)
        await until_computing(first)
        waiting = asyncio.create_task(collect(stub.Cluster, cluster_requests(blobs())))
        await wait_until(lambda: engine.admitted_count == 2)

        async def announcement():
            async for request in cluster_requests(slow_rows()):
                yield request
                await asyncio.sleep(60)

        with pytest.raises(LevelError) as caught:
            await collect(stub.Cluster, announcement())
        assert caught.value.reason == "QUEUE_FULL"
        first.cancel()
        assert only(await waiting, "outcome")


async def test_progress_comes_while_a_call_waits():
    async with running(queue_limit=1) as (_, stub):
        first = slow_call(stub)
        await until_computing(first)
        second = stub.Cluster(cluster_requests(blobs()))
        stages = []
        async for response in second:
            stages.append(response.progress.stage)
            if stages.count(messages.Progress.STAGE_QUEUED) >= 3:
                break
        first.cancel()
        second.cancel()


async def test_closing_the_service_ends_the_compute_process():
    async with running() as (engine, _):
        process_id = engine.process_id
        assert is_running(process_id)
    assert not is_running(process_id)


async def test_the_compute_process_does_not_outlive_a_killed_service():
    script = (
        "import time; from cluster_svc.compute import ComputeProcess;"
        "print(ComputeProcess(1).pid, flush=True); time.sleep(60)"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    process_id = int(await parent.stdout.readline())
    assert is_running(process_id)
    parent.kill()
    await parent.wait()
    await wait_until(lambda: not is_running(process_id))


async def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.02)


def is_running(process_id):
    """Whether a process is there and no zombie."""
    try:
        os.kill(process_id, 0)
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"
