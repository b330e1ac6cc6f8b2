"""`GrpcStages` keeps the contract of `Stages`, and says clearly when nobody answers."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.stages import GrpcStages
from level_rpc.errors import Unavailable
from tests.contract.stages_contract import StagesContract, analyze, cluster, unlike_sizes


class TestGrpcStages(StagesContract):
    @pytest.fixture
    async def stages(self, addresses: dict[str, str]) -> AsyncIterator[GrpcStages]:
        async with GrpcStages(addresses) as stages:
            yield stages


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
    )
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(end) for end in ends] == [Unavailable] * len(calls)


async def test_where_nobody_listens_health_says_so_of_each_part(nobody):
    health = await nobody.health()
    assert not any(part.ready for part in health.values())
    assert all(part.reason for part in health.values())
