"""`GrpcStages` keeps the contract of `Stages`, and says clearly when nobody answers."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from gateway.pipeline_types import NeighborGraph
from gateway.stages import GrpcStages
from level_rpc.errors import Unavailable
from levelling.plans.picks import PickTask
from levelling.request import SamplingStrategy
from tests.contract.stages_contract import StagesContract, analyze, cluster, unlike_sizes


class TestGrpcStages(StagesContract):
    @pytest.fixture
    async def stages(self, addresses: dict[str, str]) -> AsyncIterator[GrpcStages]:
        async with GrpcStages(addresses) as stages:
            yield stages


LONELY = NeighborGraph(np.zeros(1, "i4"), np.zeros((1, 0), "i4"), np.zeros((1, 0), "f4"))

YES = np.ones(1, np.bool_)
ANY_ROW = PickTask(np.zeros(1, "i4"), 1, None, 1, YES, None, YES, SamplingStrategy.RANDOM, seed=0)


@pytest.fixture
async def nobody(tmp_path) -> AsyncIterator[GrpcStages]:
    parts = ("embedder", "cluster", "analyzer", "terrain")
    async with GrpcStages({part: f"unix:{tmp_path}/{part}.sock" for part in parts}) as stages:
        yield stages


async def test_where_nobody_listens_every_call_says_unavailable(nobody):
    calls = (
        nobody.get_model(),
        nobody.embed(["hello"]),
        nobody.embed_query("hello"),
        cluster(nobody, unlike_sizes()),
        analyze(nobody, []),
        nobody.build_terrain([], 10, None),
        nobody.check_parameters("", {}),
        nobody.find_near_duplicates(LONELY, 0.1, None, print),
        nobody.select_rows(np.ones((1, 3), "f4"), LONELY, ANY_ROW, print),
    )
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(end) for end in ends] == [Unavailable] * len(calls)


async def test_where_nobody_listens_health_says_so_of_each_part(nobody):
    health = await nobody.health()
    assert not any(part.ready for part in health.values())
    assert all(part.reason for part in health.values())
