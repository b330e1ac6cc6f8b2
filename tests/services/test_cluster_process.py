"""The compute process of the cluster service: crashes, cancelling, waiting, ending."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from cluster_svc.compute_options import ComputeOptions
from cluster_svc.graph import build_graph
from level_rpc.errors import LevelError
from levelapi.cluster.v1 import cluster_service_pb2 as messages
from tests.support.cluster_calls import (
    blobs,
    cluster_requests,
    collect,
    only,
    running,
    slow_rows,
)

ROOT = Path(__file__).parents[2]


async def until_computing(responses):
    """Read up to the first progress of the search for clusters."""
    async for response in responses:
        if response.progress.stage == messages.Progress.STAGE_NEIGHBORS:
            return


def slow_call(stub):
    return stub.Cluster(cluster_requests(slow_rows()))


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


async def test_an_engine_that_is_not_there_fails_the_search_and_nothing_else():
    options = ComputeOptions(engine="ray", ray_address="127.0.0.1:1")
    async with running(options=options) as (_, stub):
        with pytest.raises(LevelError) as caught:
            await collect(stub.Cluster, cluster_requests(blobs()))
        assert caught.value.reason in ("ENGINE_MISSING", "ENGINE_UNAVAILABLE")
        graph = build_graph(blobs())
        responses = await collect(stub.Cluster, cluster_requests(blobs(), graph))
    assert only(responses, "outcome")


async def test_closing_the_service_ends_the_compute_process():
    async with running() as (engine, _):
        process_id = engine.process_id
        assert is_running(process_id)
    assert not is_running(process_id)


async def test_the_compute_process_does_not_outlive_a_killed_service():
    script = (
        "import time; from cluster_svc.compute import ComputeProcess;"
        "from cluster_svc.compute_options import ComputeOptions;"
        "print(ComputeProcess(ComputeOptions()).pid, flush=True); time.sleep(60)"
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
