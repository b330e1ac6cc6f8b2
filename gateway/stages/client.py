"""The stages of the pipeline as calls of the four services."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, Self

import grpc
import numpy as np
from numpy.typing import NDArray

from gateway.embedded_texts import EmbeddedTexts, LongTexts, ModelInfo, OnRows, ignore_rows
from gateway.pipeline_types import (
    AssignedRows,
    AssignModel,
    BuiltTerrain,
    Clustering,
    ClusterTexts,
    ExemplarKind,
    HillShape,
    Layout,
    NameOutcome,
    NeighborGraph,
    OnDraft,
    OnProgress,
    ParameterValue,
    PartHealth,
)
from gateway.stages.answers import AssignAnswer, ClusterAnswer, LayOutAnswer
from gateway.stages.embedding import EmbedAnswer, document_config, query_config
from gateway.stages.messages import (
    EXEMPLAR_KINDS,
    analyze_requests,
    assign_requests,
    cluster_requests,
    embed_requests,
    layout_requests,
    to_graph_shape,
    to_hill,
    to_model,
    to_outcome,
    to_parameters,
)
from level_rpc.channel import check_health, open_channel
from level_rpc.replicas import Replicas
from level_rpc.status import level_errors
from level_rpc.streams import exchange, idle_limited
from level_rpc.tensors import ArrayAssembler
from levelapi.analyzer.v1 import analyzer_service_pb2 as analyzer
from levelapi.analyzer.v1.analyzer_service_pb2_grpc import AnalyzerServiceStub
from levelapi.cluster.v1 import cluster_service_pb2 as cluster
from levelapi.cluster.v1.cluster_service_pb2_grpc import ClusterServiceStub
from levelapi.embedder.v1 import embedder_service_pb2 as embedder
from levelapi.embedder.v1.embedder_service_pb2_grpc import EmbedderServiceStub
from levelapi.terrain.v1 import terrain_service_pb2 as terrain
from levelapi.terrain.v1.terrain_service_pb2_grpc import TerrainServiceStub

UNARY_SECONDS = 5.0
HEALTH_SECONDS = 2.0
_SERVICES = {
    "embedder": "levelapi.embedder.v1.EmbedderService",
    "cluster": "levelapi.cluster.v1.ClusterService",
    "analyzer": "levelapi.analyzer.v1.AnalyzerService",
    "terrain": "levelapi.terrain.v1.TerrainService",
}


class GrpcStages:
    """The stages as services; implements `Stages`.

    Parameters
    ----------
    addresses : dict of str to str
        Where "embedder", "cluster", "analyzer" and "terrain" listen, as `open_channel` takes it.
    idle_seconds : float
        A stream on which nothing comes for this long is given up.
    """

    def __init__(self, addresses: dict[str, str], idle_seconds: float = 120.0) -> None:
        self._addresses = addresses
        self._idle_seconds = idle_seconds
        self._channels: dict[str, grpc.aio.Channel] = {}

    async def __aenter__(self) -> Self:
        self._channels = {name: open_channel(self._addresses[name]) for name in _SERVICES}
        self._embedder = EmbedderServiceStub(self._channels["embedder"])
        self._embedders = Replicas(self._addresses["embedder"])
        self._cluster = ClusterServiceStub(self._channels["cluster"])
        self._analyzer = AnalyzerServiceStub(self._channels["analyzer"])
        self._terrain = TerrainServiceStub(self._channels["terrain"])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._embedders.close()
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))

    async def get_model(self) -> ModelInfo:
        """Return the loaded embedding model."""
        with level_errors():
            answer = await self._embedder.GetModel(
                embedder.GetModelRequest(), timeout=UNARY_SECONDS
            )
        return to_model(answer.model)

    async def count_embedders(self) -> int:
        """Return how many embedders calls are spread over, at least 1."""
        return await self._embedders.count()

    async def embed(
        self,
        texts: Sequence[str],
        expected_fingerprint: str = "",
        *,
        long_texts: LongTexts = LongTexts.TRUNCATE,
        on_rows: OnRows = ignore_rows,
    ) -> EmbeddedTexts:
        """Return the vectors of at most 4,096 texts; `on_rows` hears of texts as they are done."""
        config = document_config(len(texts), expected_fingerprint, long_texts)
        return await self._embed(config, texts, on_rows)

    async def embed_query(self, text: str, expected_fingerprint: str = "") -> NDArray[np.float32]:
        """Return the vector, [dimension_count], of a text to search with."""
        answer = await self._embed(query_config(expected_fingerprint), [text], ignore_rows)
        vector: NDArray[np.float32] = answer.vectors[0]
        return vector

    async def cluster(
        self,
        vectors: NDArray[np.float32],
        algorithm: str,
        parameters: dict[str, ParameterValue],
        random_seed: int,
        neighbor_count: int,
        exemplar_count: int,
        exemplar_kind: ExemplarKind,
        on_progress: OnProgress,
    ) -> Clustering:
        """Return the layers of clusters, their exemplars and the neighbour graph of all rows."""
        config = cluster.ClusterConfig(
            row_count=len(vectors),
            dimension_count=vectors.shape[1],
            algorithm=algorithm,
            parameters=to_parameters(parameters),
            random_seed=random_seed,
            neighbor_count=neighbor_count,
            exemplar_count=exemplar_count,
            exemplar_kind=EXEMPLAR_KINDS[exemplar_kind],
        )
        answer = ClusterAnswer(len(vectors), vectors.shape[1], on_progress)
        requests = cluster_requests(config, vectors)
        async with self._exchange(self._cluster.Cluster, requests) as messages:
            async for message in messages:
                answer.add(message)
        return answer.finish()

    async def lay_out(
        self,
        graph: NeighborGraph,
        labels: NDArray[np.int32] | None,
        random_seed: int,
        on_progress: OnProgress,
        on_draft: OnDraft | None = None,
    ) -> Layout:
        """Return the position of every row; rough ones on the way go to `on_draft`."""
        config = cluster.LayOutConfig(
            graph_shape=to_graph_shape(graph),
            random_seed=random_seed,
            has_labels=labels is not None,
            wants_drafts=on_draft is not None,
        )
        answer = LayOutAnswer(len(graph.row_nodes), on_progress, on_draft)
        requests = layout_requests(config, graph, labels)
        async with self._exchange(self._cluster.LayOut, requests) as messages:
            async for message in messages:
                answer.add(message)
        return answer.finish()

    async def assign(
        self, model: AssignModel, vectors: NDArray[np.float32], on_progress: OnProgress
    ) -> AssignedRows:
        """Return cluster and position of each of the rows of `vectors`."""
        config = cluster.AssignConfig(
            row_count=len(vectors),
            dimension_count=vectors.shape[1],
            landmark_count=len(model.labels),
            has_positions=model.positions is not None,
        )
        answer = AssignAnswer(len(vectors), model.positions is not None, on_progress)
        requests = assign_requests(config, model, vectors)
        async with self._exchange(self._cluster.Assign, requests) as messages:
            async for message in messages:
                answer.add(message)
        return answer.finish()

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

    async def check_parameters(self, algorithm: str, parameters: dict[str, ParameterValue]) -> None:
        """Raise InvalidArgument unless the cluster service takes these parameters."""
        request = cluster.CheckParametersRequest(
            algorithm=algorithm, parameters=to_parameters(parameters)
        )
        with level_errors():
            await self._cluster.CheckParameters(request, timeout=UNARY_SECONDS)

    async def health(self) -> dict[str, PartHealth]:
        """Return the state of each service, by its name."""
        reports = await asyncio.gather(*(self._part_health(name) for name in _SERVICES))
        return dict(zip(_SERVICES, reports, strict=True))

    async def _embed(self, config: Any, texts: Sequence[str], on_rows: OnRows) -> EmbeddedTexts:
        answer = EmbedAnswer(len(texts), on_rows)
        requests = embed_requests(config, texts)
        async with self._embedders.least_busy() as channel:
            method = EmbedderServiceStub(channel).Embed
            async with self._exchange(method, requests) as messages:
                async for message in messages:
                    answer.add(message)
        return answer.finish()

    async def _part_health(self, name: str) -> PartHealth:
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                report = await check_health(self._channels[name], _SERVICES[name])
        except TimeoutError:
            return PartHealth(False, "no answer", {"loading": True})
        return PartHealth(report.serving, report.reason or "", {"loading": report.is_loading})

    def _exchange(self, method: Any, requests: AsyncIterator[Any]) -> Any:
        return aclosing(exchange(method, requests, self._idle_seconds))
