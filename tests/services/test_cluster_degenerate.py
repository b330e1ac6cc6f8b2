"""Rows that leave little to find, through every call of the cluster service."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from cluster_svc.assign_model import AssignModel
from cluster_svc.graph import build_graph
from cluster_svc.registry import ALGORITHMS
from level_rpc.tensors import unpack_tensor
from tests.support.cluster_calls import (
    assemble,
    assign_requests,
    cluster_requests,
    collect,
    frames_of,
    layout_requests,
    only,
    terrain_labels,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


def degenerate_rows():
    """Return rows that leave little to find, by what is wrong with them."""
    random = np.random.default_rng(0)
    scales = 10.0 ** random.integers(-30, 30, (200, 1))
    ninety = np.concatenate([random.normal(size=(100, 16)), np.ones((900, 16))])
    return {
        "all rows equal": np.ones((500, 16)),
        "all rows zero": np.zeros((500, 16)),
        "two distinct rows": np.repeat(np.eye(2, 16), 250, axis=0),
        "fewer rows than neighbours": random.normal(size=(7, 16)),
        "zero rows among others": random.normal(size=(500, 16)) * (random.random((500, 1)) > 0.3),
        "nine in ten equal": random.permutation(ninety),
        "two dimensions": random.normal(size=(500, 2)),
        "4096 dimensions": random.normal(size=(300, 4096)),
        "opposite rows": np.repeat([[1.0, 0], [-1.0, 0]], 100, axis=0),
        "tiny and huge rows": random.normal(size=(200, 8)) * scales,
    }


@pytest.mark.parametrize("name", degenerate_rows())
async def test_degenerate_rows_pass_through_every_call(stub, name):
    """Each call ends in time, every row has an answer, equal rows have the same one."""
    vectors = degenerate_rows()[name].astype("f4")
    async with asyncio.timeout(60):
        for algorithm in ALGORITHMS:
            requests = cluster_requests(vectors, algorithm=algorithm)
            responses = await collect(stub.Cluster, requests)
            labels = terrain_labels(responses, len(vectors))
            assert_equal_rows_agree(vectors, labels)
        graph = build_graph(vectors)
        placed = await collect(stub.LayOut, layout_requests(graph, labels=labels))
        ((_, positions),) = frames_of(placed, len(vectors))
        assert np.isfinite(positions).all() and np.abs(positions).max() <= 1
        assert_equal_rows_agree(vectors, positions)
        await assign_back(stub, vectors, responses, labels)


def assert_equal_rows_agree(vectors, values):
    _, first, of_row = np.unique(vectors, axis=0, return_index=True, return_inverse=True)
    np.testing.assert_array_equal(values, values[first][of_row])


async def assign_back(stub, vectors, responses, labels):
    """Assign the rows to their own clustering; a landmark must find its own cluster."""
    blocks = only(responses, "landmarks")
    rows = np.concatenate([unpack_tensor(block.row_ids.tensor) for block in blocks])
    reaches = np.concatenate([unpack_tensor(block.reaches.tensor) for block in blocks])
    model = AssignModel(vectors[rows], labels[rows], reaches, None)
    answer = await collect(stub.Assign, assign_requests(model, vectors))
    nearest = [block.nearest for block in only(answer, "rows")]
    nearest = assemble(np.int32, nearest, len(vectors))
    assert (nearest >= -1).all() and (nearest <= labels.max(initial=-1)).all()


@pytest.mark.parametrize("algorithm", ["auto", "communities"])
async def test_copies_are_one_cluster_and_two_directions_are_two(stub, algorithm):
    for name, sizes in {"all rows equal": [500], "two distinct rows": [250, 250]}.items():
        vectors = degenerate_rows()[name].astype("f4")
        requests = cluster_requests(vectors, algorithm=algorithm)
        responses = await collect(stub.Cluster, requests)
        labels = terrain_labels(responses, len(vectors))
        assert np.bincount(labels).tolist() == sizes


async def test_a_single_row_is_clustered_and_laid_out(stub):
    vectors = np.ones((1, 4), np.float32)
    responses = await collect(stub.Cluster, cluster_requests(vectors))
    assert [layer.cluster_count for layer in only(responses, "layer")] == [1]
    placed = await collect(stub.LayOut, layout_requests(build_graph(vectors)))
    ((_, positions),) = frames_of(placed, 1)
    assert positions.tolist() == [[0, 0]]
