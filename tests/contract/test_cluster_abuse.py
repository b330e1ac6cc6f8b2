"""What ClusterService answers to those who do not keep to its protos."""

import threading
import time

import grpc
import numpy as np
import pytest

from tests.contract.cluster_client import DIMENSIONS, ROWS, VECTORS
from tests.contract.stranger import Refusal, converse, crc32


def damaged(clusters):
    block = clusters.rows(VECTORS)
    block.vectors.crc32 ^= 1
    return [clusters.config(), block]


def with_nan(clusters):
    vectors = VECTORS.copy()
    vectors[17, 3] = np.nan
    return [clusters.config(), clusters.rows(vectors)]


def cut_short(clusters):
    block = clusters.rows(VECTORS)
    block.vectors.tensor.data = block.vectors.tensor.data[:-4]
    block.vectors.crc32 = crc32(block.vectors)
    return [clusters.config(), block]


def graph_not_announced(clusters):
    block = clusters.tensors.block(np.zeros(ROWS, "<i4"))
    graph = clusters.part.ClusterRequest(graph=clusters.part.GraphBlock(row_nodes=block))
    return [clusters.config(), graph]


INVALID = "INVALID_ARGUMENT"
ABUSES = {
    "no config first": (
        lambda c: [c.rows(VECTORS)],
        (INVALID, "CONFIG_NOT_FIRST", {"received": "vectors"}),
    ),
    "nothing at all": (lambda c: [], (INVALID, "CONFIG_NOT_FIRST", {"received": "nothing"})),
    "config twice": (
        lambda c: [c.config(), c.config()],
        (INVALID, "CONFIG_NOT_FIRST", {"received": "config"}),
    ),
    "a wrong checksum": (
        damaged,
        ("DATA_LOSS", "TENSOR_CHECKSUM_MISMATCH", {"array": "vectors", "first_row_index": "0"}),
    ),
    "too many rows": (
        lambda c: [c.config(ROWS - 1), c.rows(VECTORS)],
        (INVALID, "TENSOR_ROWS_MISMATCH", {"array": "vectors", "expected_rows": "299"}),
    ),
    "an early end": (
        lambda c: [c.config(), c.rows(VECTORS[:100])],
        (INVALID, "TENSOR_ROWS_MISMATCH", {"expected_rows": "300", "received_rows": "100"}),
    ),
    "a gap": (
        lambda c: [c.config(), c.rows(VECTORS[:100]), c.rows(VECTORS[200:], 200)],
        (INVALID, "TENSOR_ROWS_MISMATCH", {"received_rows": "100"}),
    ),
    "not a number": (
        with_nan,
        (INVALID, "TENSOR_NOT_FINITE", {"array": "vectors", "row_index": "17"}),
    ),
    "data cut short": (
        cut_short,
        (INVALID, "TENSOR_SIZE_MISMATCH", {"expected_bytes": str(VECTORS.nbytes)}),
    ),
    "other dimensions": (
        lambda c: [c.config(dimension_count=DIMENSIONS + 1), c.rows(VECTORS)],
        (INVALID, "TENSOR_TYPE_MISMATCH", {}),
    ),
    "another element type": (
        lambda c: [c.config(), c.rows(VECTORS.astype("<f8"))],
        (INVALID, "TENSOR_TYPE_MISMATCH", {"expected": "float32", "received": "float64"}),
    ),
    "more than the service takes": (
        lambda c: [c.config(2_000_000_000, 1024)],
        ("RESOURCE_EXHAUSTED", "ARRAY_TOO_LARGE", {"array": "vectors"}),
    ),
    "a message of 5 MiB": (
        lambda c: [c.config(100_000), c.rows(np.ones((5 << 14, DIMENSIONS), "<f4"))],
        ("RESOURCE_EXHAUSTED", "", {}),
    ),
    "a block of 2 MiB": (
        lambda c: [c.config(100_000), c.rows(np.ones((2 << 14, DIMENSIONS), "<f4"))],
        (INVALID, "TENSOR_SIZE_MISMATCH", {}),
    ),
    "an unknown algorithm": (
        lambda c: [c.config(algorithm="magic"), c.rows(VECTORS)],
        (INVALID, "ALGORITHM_UNKNOWN", {"algorithm": "magic"}),
    ),
    "an unknown parameter": (
        lambda c: [c.config(algorithm="dbscan", parameters={"epsilon": 1.0}), c.rows(VECTORS)],
        (INVALID, "PARAMETER_INVALID", {"algorithm": "dbscan", "parameter": "epsilon"}),
    ),
    "a text for a number": (
        lambda c: [c.config(algorithm="dbscan", parameters={"eps": "wide"}), c.rows(VECTORS)],
        (INVALID, "PARAMETER_INVALID", {"parameter": "eps"}),
    ),
    "no rows": (
        lambda c: [c.config(0)],
        ("FAILED_PRECONDITION", "TOO_FEW_ROWS", {"row_count": "0"}),
    ),
    "a negative row count": (
        lambda c: [c.config(-5)],
        (INVALID, "FIELD_INVALID", {}),
    ),
    "eleven exemplars": (
        lambda c: [c.config(exemplar_count=11)],
        (INVALID, "FIELD_INVALID", {}),
    ),
    "a graph that was not announced": (graph_not_announced, (INVALID, "FIELD_INVALID", {})),
}


@pytest.mark.parametrize("abuse", ABUSES)
def test_abuse_is_refused_and_leaves_the_service_serving(abuse, clusters):
    requests, (code, reason, metadata) = ABUSES[abuse]
    with pytest.raises(Refusal) as caught:
        converse(clusters.service.Cluster, requests(clusters))
    refusal = caught.value
    assert (refusal.code, refusal.reason) == (code, reason), refusal
    assert metadata.items() <= refusal.metadata.items()
    assert len(clusters.cluster().labels) == ROWS


def test_gigabytes_that_are_claimed_and_never_sent_hold_nobody_up(clusters):
    def requests():
        yield clusters.config(500_000, 1024)  # two gigabytes
        yield clusters.part.ClusterRequest(
            vectors=clusters.tensors.block(np.ones((1, 1024), "<f4"))
        )

    for _ in range(3):
        with pytest.raises(Refusal) as caught:
            converse(clusters.service.Cluster, requests())
        assert caught.value.reason == "TENSOR_ROWS_MISMATCH"
    assert len(clusters.cluster().labels) == ROWS


def test_cancelling_frees_the_service(clusters):
    """Minutes of work are cancelled; another call then computes at once."""
    vectors = np.random.default_rng(0).normal(size=(30_000, 256)).astype("<f4")
    config = clusters.config(*vectors.shape, algorithm="dbscan", parameters={"eps": 0.3})

    def requests():
        yield config
        for block in clusters.tensors.blocks(vectors):
            yield clusters.part.ClusterRequest(vectors=block)

    call = clusters.service.Cluster(requests())
    neighbors = clusters.part.Progress.STAGE_NEIGHBORS
    assert any(answer.progress.stage == neighbors for answer in call)
    call.cancel()
    with pytest.raises(grpc.RpcError):
        list(call)
    assert len(clusters.cluster().labels) == ROWS


def test_calls_beyond_the_queue_are_told_to_come_again(clusters):
    go_on = threading.Event()

    def held():
        yield clusters.config()
        go_on.wait(60)

    calls = [clusters.service.Cluster(held()) for _ in range(20)]
    admitted, refusals = [], []
    for call in calls:
        try:
            admitted.append(next(call))  # progress comes although nothing was sent
        except grpc.RpcError as error:
            refusals.append(Refusal(error))
    assert admitted and refusals
    assert {(one.code, one.reason) for one in refusals} == {("RESOURCE_EXHAUSTED", "QUEUE_FULL")}
    assert all(one.retry.retry_delay.seconds > 0 for one in refusals)
    assert {one.metadata["waiting"] for one in refusals} == {str(len(admitted) - 1)}
    go_on.set()
    for call in calls:
        call.cancel()
    assert len(when_there_is_room(clusters).labels) == ROWS


def when_there_is_room(clusters):
    """Return an answer as soon as the service has seen that the others are gone."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return clusters.cluster()
        except Refusal as refusal:
            if refusal.reason != "QUEUE_FULL" or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
