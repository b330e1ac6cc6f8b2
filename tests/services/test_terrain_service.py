"""The terrain service over a real connection."""

from math import nan

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from level_rpc.tensors import ArrayAssembler
from level_rpc.testing import running_server
from levelapi.terrain.v1 import terrain_service_pb2 as messages
from levelapi.terrain.v1.terrain_service_pb2_grpc import TerrainServiceStub
from levelling import Hills
from terrain_svc.height_field import build_terrain
from terrain_svc.servicer import SERVICE, TerrainServicer

TWO_HILLS = [
    messages.Hill(cluster_id=0, x=20, z=30, radius=4, height=10),
    messages.Hill(cluster_id=7, x=70, z=60, radius=6, height=5),
]


@pytest.fixture
async def terrain():
    async with running_server(SERVICE, TerrainServicer()) as channel:
        yield TerrainServiceStub(channel)


async def build(stub, **request):
    answers = [
        answer async for answer in stub.BuildTerrain(messages.BuildTerrainRequest(**request))
    ]
    grid_size = request["grid_size"]
    rows = ArrayAssembler("heights", np.float32, grid_size, (grid_size,))
    for answer in answers[1:]:
        rows.add(answer.heights)
    return answers[0].header, rows.finish(), len(answers) - 1


async def refusal_of(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    info = error_details_pb2.ErrorInfo()
    rpc_status.from_call(caught.value).details[0].Unpack(info)
    return caught.value.code(), info.reason, dict(info.metadata)


async def test_header_comes_first_then_the_rows_of_the_height_field(terrain):
    header, heights, _ = await build(terrain, hills=TWO_HILLS, grid_size=100)
    two = Hills(np.array([0, 7]), *np.array([[20, 70], [30, 60], [4, 6], [10, 5]], dtype=float))
    expected = build_terrain(two, 100)
    assert np.array_equal(heights, expected.heights)
    assert header.height_scale == expected.height_scale
    assert [color.cluster_id for color in header.colors] == [0, 7]
    assert [color.color for color in header.colors] == list(expected.colors)


async def test_a_scale_that_is_passed_in_is_kept(terrain):
    first, heights, _ = await build(terrain, hills=TWO_HILLS, grid_size=100)
    lowered = [messages.Hill(cluster_id=0, x=20, z=30, radius=4, height=1), TWO_HILLS[1]]
    scale = first.height_scale
    header, after, _ = await build(terrain, hills=lowered, grid_size=100, height_scale=scale)
    assert header.height_scale == scale
    assert after[30, 20] == pytest.approx(0.1 * heights[30, 20], rel=1e-3)
    assert after[60, 70] == pytest.approx(heights[60, 70])


async def test_a_large_field_travels_in_several_blocks(terrain):
    _, heights, block_count = await build(terrain, hills=TWO_HILLS, grid_size=1024)
    assert block_count >= 4
    assert heights.max() == 10


async def test_no_hill_gives_flat_ground(terrain):
    header, heights, _ = await build(terrain, grid_size=2)
    assert not heights.any()
    assert header.height_scale == 1
    assert not header.colors


async def test_a_grid_out_of_range_is_refused_with_its_reason(terrain):
    code, reason, metadata = await refusal_of(build(terrain, hills=TWO_HILLS, grid_size=4096))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert reason == "GRID_SIZE_INVALID"
    assert metadata == {"grid_size": "4096", "allowed": "2 to 2048"}


async def test_a_hill_that_is_none_is_refused_with_its_reason(terrain):
    bad = messages.Hill(cluster_id=9, x=nan, z=1, radius=1, height=1)
    code, reason, metadata = await refusal_of(build(terrain, hills=[*TWO_HILLS, bad], grid_size=99))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert reason == "HILL_INVALID"
    assert metadata == {"cluster_id": "9", "field": "x"}


async def test_measure_answers_every_figure(terrain):
    groups = [
        messages.Group(cluster_id=0, row_count=3, weight=1),
        messages.Group(cluster_id=1, row_count=1, weight=1),
        messages.Group(cluster_id=-1, row_count=4, weight=0.5),
    ]
    balance = await terrain.Measure(messages.MeasureRequest(groups=groups))
    assert balance.gini == pytest.approx(0.25)
    assert balance.flatness == pytest.approx(0.5)
    assert balance.cluster_count == 2
    assert balance.effective_clusters == pytest.approx(4 / 3**0.75)
    assert (balance.row_count, balance.noise_count) == (8, 4)
    assert balance.effective_sample_size == pytest.approx(36 / 5)
    assert balance.design_effect == pytest.approx(8 * 5 / 36)
    assert balance.max_repeat == pytest.approx(8 / 6)


async def test_the_groups_of_a_cluster_are_summed(terrain):
    groups = [
        messages.Group(cluster_id=0, row_count=1, weight=2),
        messages.Group(cluster_id=1, row_count=3, weight=1),
        messages.Group(cluster_id=0, row_count=2, weight=0.5),
        messages.Group(cluster_id=-1, row_count=1, weight=1),
        messages.Group(cluster_id=-1, row_count=1, weight=0),
    ]
    balance = await terrain.Measure(messages.MeasureRequest(groups=groups))
    assert (balance.cluster_count, balance.gini) == (2, pytest.approx(0))
    assert (balance.row_count, balance.noise_count) == (7, 2)


async def test_measure_of_nothing_is_level(terrain):
    balance = await terrain.Measure(messages.MeasureRequest())
    assert (balance.gini, balance.flatness, balance.design_effect) == (0, 1, 1)


@pytest.mark.parametrize(
    "groups",
    [
        [messages.Group(cluster_id=-2, row_count=1, weight=1)],
        [messages.Group(cluster_id=1, row_count=-1, weight=1)],
        [messages.Group(cluster_id=1, row_count=1, weight=nan)],
    ],
)
async def test_groups_that_are_none_are_refused_with_their_reason(terrain, groups):
    request = messages.MeasureRequest(groups=groups)
    code, reason, _ = await refusal_of(terrain.Measure(request))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert reason == "HILL_INVALID"


async def test_small_calls_are_answered_while_large_ones_are_built(terrain):
    many = [messages.Hill(cluster_id=i, x=i, z=i, radius=9, height=1) for i in range(1000)]
    large = build(terrain, hills=many, grid_size=1024)
    small = build(terrain, hills=TWO_HILLS, grid_size=10)
    with pytest.raises(grpc.aio.AioRpcError):
        await small
    _, heights, _ = await large
    assert heights.max() == 10
