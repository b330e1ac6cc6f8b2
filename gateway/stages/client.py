"""The stages of the pipeline as calls of the four services."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Self

import numpy as np

from gateway.pipeline_types import (
    BuiltTerrain,
    ClusterTexts,
    HillShape,
    NameOutcome,
    PartHealth,
)
from gateway.stages.cluster_calls import ClusterCalls
from gateway.stages.embedder_calls import EmbedderCalls
from gateway.stages.messages import analyze_requests, to_hill, to_outcome
from level_rpc.channel import check_health, open_channel
from level_rpc.replicas import Replicas
from level_rpc.streams import idle_limited
from level_rpc.tensors import ArrayAssembler
from levelapi.analyzer.v1 import analyzer_service_pb2 as analyzer
from levelapi.analyzer.v1.analyzer_service_pb2_grpc import AnalyzerServiceStub
from levelapi.terrain.v1 import terrain_service_pb2 as terrain
from levelapi.terrain.v1.terrain_service_pb2_grpc import TerrainServiceStub

HEALTH_SECONDS = 2.0
_SERVICES = {
    "embedder": "levelapi.embedder.v1.EmbedderService",
    "cluster": "levelapi.cluster.v1.ClusterService",
    "analyzer": "levelapi.analyzer.v1.AnalyzerService",
    "terrain": "levelapi.terrain.v1.TerrainService",
}


class GrpcStages(EmbedderCalls, ClusterCalls):
    """The stages as services; implements `Stages`.

    Parameters
    ----------
    addresses : dict of str to str
        Where "embedder", "cluster", "analyzer" and "terrain" listen, as `open_channel` takes it.
    idle_seconds : float
        A stream on which nothing comes for this long is given up.
    """

    def __init__(self, addresses: dict[str, str], idle_seconds: float = 120.0) -> None:
        super().__init__(addresses, idle_seconds)

    async def __aenter__(self) -> Self:
        self._channels = {name: open_channel(self._addresses[name]) for name in _SERVICES}
        self._embedders = Replicas(self._addresses["embedder"])
        self._analyzer = AnalyzerServiceStub(self._channels["analyzer"])
        self._terrain = TerrainServiceStub(self._channels["terrain"])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._embedders.close()
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))

    async def analyze(
        self,
        clusters: Sequence[ClusterTexts],
        dataset_description: str,
        language_code: str,
        keywords_only: bool,
    ) -> AsyncIterator[NameOutcome]:
        """Yield a keyword name for every cluster, then what the language model says of each."""
        config = analyzer.AnalyzeClustersConfig(
            cluster_count=len(clusters),
            dataset_description=dataset_description,
            language_code=language_code,
            keywords_only=keywords_only,
        )
        requests = analyze_requests(config, clusters)
        async with self._exchange(self._analyzer.AnalyzeClusters, requests) as answers:
            async for answer in answers:
                yield to_outcome(answer)

    async def build_terrain(
        self, hills: Sequence[HillShape], grid_size: int, height_scale: float | None
    ) -> BuiltTerrain:
        """Return the height field of hills."""
        request = terrain.BuildTerrainRequest(
            hills=[to_hill(hill) for hill in hills],
            grid_size=grid_size,
            height_scale=height_scale,
        )
        heights = ArrayAssembler("heights", np.float32, grid_size, (grid_size,))
        header = terrain.TerrainHeader()
        call = self._terrain.BuildTerrain(request)
        async with aclosing(idle_limited(call, self._idle_seconds)) as answers:
            async for answer in answers:
                if answer.WhichOneof("payload") == "header":
                    header = answer.header
                else:
                    heights.add(answer.heights)
        colors = {entry.cluster_id: entry.color for entry in header.colors}
        return BuiltTerrain(heights.finish(), header.height_scale, colors)

    async def health(self) -> dict[str, PartHealth]:
        """Return the state of each service, by its name."""
        reports = await asyncio.gather(*(self._part_health(name) for name in _SERVICES))
        return dict(zip(_SERVICES, reports, strict=True))

    async def _part_health(self, name: str) -> PartHealth:
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                report = await check_health(self._channels[name], _SERVICES[name])
        except TimeoutError:
            return PartHealth(False, "no answer", {"loading": True})
        return PartHealth(report.serving, report.reason or "", {"loading": report.is_loading})
