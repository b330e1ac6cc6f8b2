"""The cluster service through a real server and a real compute process."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cluster_svc.assign import assign_rows
from cluster_svc.assign_model import AssignModel
from cluster_svc.clusters import run_clustering
from cluster_svc.exemplars import ExemplarKind
from cluster_svc.graph import build_graph
from cluster_svc.layout import lay_out
from cluster_svc.layout.quality import neighbor_preservation, own_hill_fraction
from cluster_svc.registry import ALGORITHMS
from level_rpc.errors import LevelError
from level_rpc.status import level_errors
from level_rpc.tensors import split_array, unpack_tensor
from levelapi.cluster.v1 import cluster_service_pb2 as messages
from tests.support.cluster_calls import (
    assemble,
    assign_requests,
    blobs,
    cluster_requests,
    collect,
    frames_of,
    graph_blocks,
    kinds,
    layers_of,
    layout_requests,
    only,
    parameter,
    running,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


def assert_layer(received, expected, rows):
    layer, clusters, blocks = received
    assert layer.first_cluster_id == expected.first_cluster_id
    assert layer.is_terrain_layer == expected.is_terrain
    assert layer.cluster_count == len(clusters) == expected.cluster_count
    for name in ("labels", "nearest", "strengths"):
        array = getattr(expected, name)
        parts = [getattr(block, name) for block in blocks]
        np.testing.assert_array_equal(assemble(array.dtype, parts, rows), array)
    first = layer.first_cluster_id
    assert [one.cluster_id for one in clusters] == list(range(first, first + len(clusters)))
    assert [one.size for one in clusters] == expected.stats.sizes.tolist()
    assert [one.spread for one in clusters] == expected.stats.spreads.tolist()
    assert [one.parent_id for one in clusters] == expected.parent_ids.tolist()
    for number, one in enumerate(clusters):
        assert list(one.exemplar_row_ids) == expected.exemplars[number].tolist()
        stability = one.stability if one.HasField("stability") else np.nan
        np.testing.assert_equal(stability, expected.stability[number])
        assert np.linalg.norm(unpack_tensor(one.centroid)) == pytest.approx(1, abs=1e-5)


async def test_cluster_answers_what_the_library_finds(stub):
    vectors = blobs()
    config = {"exemplar_count": 3, "exemplar_kind": messages.EXEMPLAR_KIND_DIVERSE}
    responses = await collect(stub.Cluster, cluster_requests(vectors, **config))
    expected = run_clustering(vectors, exemplar_count=3, exemplar_kind=ExemplarKind.DIVERSE)
    outcome = only(responses, "outcome")[0]
    assert (outcome.algorithm, outcome.reason) == (expected.algorithm, expected.reason)
    assert (outcome.layer_reason, outcome.noise_reason) == (
        expected.layer_reason,
        expected.noise.reason,
    )
    assert outcome.noise_count == expected.noise_count
    assert outcome.sparse_count == expected.noise.sparse_count
    assert outcome.small_cluster_count == expected.noise.small_cluster_count
    assert outcome.graph_recall == 1
    assert len(outcome.eps_curve) == len(expected.eps_curve)
    received = layers_of(responses)
    assert outcome.layer_count == len(received)
    assert [layer.layer_index for layer, *_ in received] == list(range(len(received)))
    for layer, one in zip(received, expected.layers, strict=True):
        assert_layer(layer, one, len(vectors))
    blocks = only(responses, "landmarks")
    for name in ("row_ids", "reaches"):
        array = getattr(expected.landmarks, name)
        parts = [getattr(block, name) for block in blocks]
        np.testing.assert_array_equal(assemble(array.dtype, parts, len(array)), array)


async def test_messages_come_in_the_order_of_the_contract_and_progress_never_falls(stub):
    responses = await collect(stub.Cluster, cluster_requests(blobs()))
    order = [kind for kind in kinds(responses) if kind != "progress"]
    assert order[0] == "graph_shape"
    ranks = ["graph_shape", "graph", "outcome", "layer", "cluster", "rows", "landmarks"]
    assert set(order) == set(ranks)
    first = {kind: order.index(kind) for kind in ranks}
    assert sorted(ranks, key=first.get) == ranks
    assert order[-1] == "landmarks"
    in_layers = [kind for kind in order if kind in ("layer", "cluster", "rows")]
    follow = {("layer", "cluster"), ("cluster", "cluster"), ("cluster", "rows"), ("rows", "layer")}
    assert set(pairwise(in_layers)) <= follow | {("rows", "rows")}
    fractions = [progress.fraction_done for progress in only(responses, "progress")]
    assert fractions == sorted(fractions) and 0 <= fractions[0] <= fractions[-1] <= 1


async def test_a_stored_graph_is_used_and_not_sent_back(stub):
    vectors = blobs()
    responses = await collect(stub.Cluster, cluster_requests(vectors, build_graph(vectors)))
    assert "graph" not in kinds(responses)
    terrain = [layer for layer in only(responses, "layer") if layer.is_terrain_layer]
    assert [layer.cluster_count for layer in terrain] == [5]


async def test_layout_answers_what_the_library_places(stub):
    vectors = np.concatenate([blobs(), blobs()[:50]])
    rows = len(vectors)
    graph = build_graph(vectors)
    random = np.random.default_rng(0)
    start = random.uniform(size=(rows, 2)).astype("f4")[graph.first_rows][graph.node_of_row]
    labels = (np.arange(rows) % 5).astype("i4")
    labels[400:] = labels[:50]
    fixed = (graph.node_of_row % 2).astype("u1")
    cases = [{}, {"start": start}, {"labels": labels}, {"start": start, "fixed": fixed}]
    for case in cases:
        responses = await collect(stub.LayOut, layout_requests(graph, random_seed=7, **case))
        ((frame, positions),) = frames_of(responses, rows)
        assert frame.is_final and frame.frame_index == 0
        options = dict(case, fixed=None if "fixed" not in case else fixed != 0)
        np.testing.assert_array_equal(positions, lay_out(graph, seed=7, **options))
        assert kinds(responses)[-1] == "quality"
        quality = responses[-1].quality
        expected = neighbor_preservation(graph, positions, seed=7)
        assert quality.neighbor_preservation == expected
        assert quality.HasField("own_hill_fraction") == ("labels" in case)
        if "labels" in case:
            own = own_hill_fraction(positions, labels)
            assert quality.own_hill_fraction == own


async def test_drafts_come_before_the_final_layout_and_only_when_wanted(stub):
    vectors = blobs(3000)
    graph = build_graph(vectors)
    responses = await collect(stub.LayOut, layout_requests(graph, wants_drafts=True))
    silent = await collect(stub.LayOut, layout_requests(graph))
    frames = frames_of(responses, len(vectors))
    assert len(frames) >= 2
    assert [frame.frame_index for frame, _ in frames] == list(range(len(frames)))
    assert [frame.is_final for frame, _ in frames] == [False] * (len(frames) - 1) + [True]
    assert all(np.isfinite(positions).all() for _, positions in frames)
    ((_, final),) = frames_of(silent, len(vectors))
    np.testing.assert_array_equal(frames[-1][1], final)


@pytest.mark.parametrize("has_positions", [True, False])
async def test_assign_answers_what_the_library_finds(stub, has_positions):
    vectors = blobs()
    clustering = run_clustering(vectors)
    rows = clustering.landmarks.row_ids
    positions = np.random.default_rng(0).uniform(size=(len(rows), 2)).astype("f4")
    model = AssignModel(
        vectors=vectors[rows],
        labels=clustering.terrain.labels[rows],
        reaches=clustering.landmarks.reaches,
        positions=positions if has_positions else None,
    )
    new = np.concatenate([blobs(300, seed=0) * 3, -blobs(100, seed=1)])
    responses = await collect(stub.Assign, assign_requests(model, new))
    expected = assign_rows(model, new)
    blocks = only(responses, "rows")
    for name in ("labels", "nearest", "strengths", *(["positions"] if has_positions else [])):
        array = getattr(expected, name)
        parts = [getattr(block, name) for block in blocks]
        got = assemble(array.dtype, parts, len(new), *array.shape[1:])
        np.testing.assert_array_equal(got, array)
    assert all(block.HasField("positions") == has_positions for block in blocks)
    fractions = [progress.fraction_done for progress in only(responses, "progress")]
    assert fractions and fractions == sorted(fractions)


def small_model(landmarks=20, dimensions=4):
    vectors = blobs(landmarks, dimensions)
    labels = (np.arange(landmarks) % 5).astype("i4")
    return AssignModel(vectors, labels, np.full(landmarks, 0.5, "f4"), None)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"row_count": 0}, "TOO_FEW_ROWS"),
        ({"row_count": -1}, "FIELD_INVALID"),
        ({"dimension_count": 0}, "FIELD_INVALID"),
        ({"dimension_count": 5}, "TENSOR_TYPE_MISMATCH"),
        ({"landmark_count": 0}, "FIELD_INVALID"),
        ({"landmark_count": 21}, "TENSOR_ROWS_MISMATCH"),
        ({"landmark_count": 2**31 - 1, "dimension_count": 1000}, "ARRAY_TOO_LARGE"),
        ({"has_positions": True}, "TENSOR_ROWS_MISMATCH"),
    ],
)
async def test_wrong_models_are_refused(stub, config, reason):
    with pytest.raises(LevelError) as caught:
        await collect(stub.Assign, assign_requests(small_model(), blobs(30, 4), **config))
    assert caught.value.reason == reason


async def test_wrong_layout_configs_are_refused(stub):
    graph = build_graph(blobs())
    fixed = np.ones(graph.row_count, "u1")
    for options in ({"fixed": fixed}, {"random_seed": -1}):
        with pytest.raises(LevelError) as caught:
            await collect(stub.LayOut, layout_requests(graph, **options))
        assert caught.value.reason == "FIELD_INVALID"


async def test_list_algorithms_gives_the_whole_registry_default_first(stub):
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


async def test_checked_parameters_come_back_with_defaults(stub):
    request = messages.CheckParametersRequest(
        algorithm="dbscan", parameters=[parameter("min_samples", int_value=9)]
    )
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
async def test_wrong_parameters_are_refused_before_there_are_vectors(
    stub, algorithm, given, reason
):
    request = messages.CheckParametersRequest(algorithm=algorithm, parameters=given)
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
        ({"exemplar_kind": 9}, "FIELD_INVALID"),
        ({"random_seed": -1}, "FIELD_INVALID"),
    ],
)
async def test_wrong_configs_are_refused(stub, config, reason):
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


async def test_a_damaged_graph_is_refused(stub):
    graph = build_graph(blobs())
    graph.indices[3, 0] = 10**6
    with pytest.raises(LevelError) as caught:
        await collect(stub.LayOut, layout_requests(graph))
    assert caught.value.reason == "FIELD_INVALID"
