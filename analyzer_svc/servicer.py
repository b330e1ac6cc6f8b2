"""AnalyzerService over gRPC: decode, name, encode."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc
import structlog

from analyzer_svc.analysis import Dataset, analyze_all_clusters
from analyzer_svc.checks import MAX_TERMS, check_cluster, check_dataset, require
from analyzer_svc.clusters import ClusterAnalysis, ClusterTexts, LabelSource, Outcome
from analyzer_svc.language_model import LanguageModel
from analyzer_svc.limits import DEFAULT_LIMITS, NamingLimits
from level_rpc.errors import ConfigNotFirst
from level_rpc.limits import IDLE_SECONDS
from level_rpc.server import Service
from level_rpc.streams import received
from levelapi.analyzer.v1 import analyzer_service_pb2 as messages
from levelapi.analyzer.v1 import analyzer_service_pb2_grpc as stubs

SERVICE = Service(
    "levelapi.analyzer.v1.AnalyzerService", stubs.add_AnalyzerServiceServicer_to_server
)

_MAX_CLUSTERS = 100_000
# All term counts of a call are in memory at once: about half a gigabyte.
_MAX_TERMS_IN_ALL = 5_000_000

_LABEL_SOURCES = {
    LabelSource.LLM: messages.LABEL_SOURCE_LLM,
    LabelSource.KEYWORDS: messages.LABEL_SOURCE_KEYWORDS,
    LabelSource.GENERIC: messages.LABEL_SOURCE_GENERIC,
}

_log = structlog.get_logger("analyzer_svc")


class AnalyzerServicer(stubs.AnalyzerServiceServicer):
    """Names clusters, with the language model if there is one.

    Parameters
    ----------
    model : LanguageModel or None
        Asked for names; None for keyword names only.
    limits : NamingLimits
        Bounds of the calls to the model; ``concurrency`` holds over all callers together.
    idle_seconds : float
        How long a client may be silent while it sends.
    """

    def __init__(
        self,
        model: LanguageModel | None,
        limits: NamingLimits = DEFAULT_LIMITS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._model = model
        self._limits = limits
        self._idle_seconds = idle_seconds
        self._slots = asyncio.Semaphore(limits.concurrency)

    async def AnalyzeClusters(
        self,
        requests: AsyncIterable[messages.AnalyzeClustersRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[messages.AnalyzeClustersResponse]:
        """Yield a keyword outcome for each cluster, then the language model's as they are ready."""
        config, clusters = await _receive(received(requests, self._idle_seconds))
        model = None if config.keywords_only else self._model
        dataset = Dataset(config.dataset_description, config.language_code)
        tally: Counter[str] = Counter()
        outcomes = analyze_all_clusters(
            clusters, model, dataset=dataset, limits=self._limits, slots=self._slots
        )
        async with aclosing(outcomes):
            async for outcome in outcomes:
                tally[_kind(outcome)] += 1
                yield _encode(outcome)
        _log.info("clusters named", cluster_count=len(clusters), outcomes=dict(tally))

    async def close(self) -> None:
        """Close the language model."""
        if self._model is not None:
            await self._model.close()


async def _receive(
    requests: AsyncIterable[messages.AnalyzeClustersRequest],
) -> tuple[messages.AnalyzeClustersConfig, list[ClusterTexts]]:
    """Return the config and all clusters; which terms tell one depends on all others."""
    config = None
    clusters: dict[int, ClusterTexts] = {}
    term_count = 0
    async for request in requests:
        payload = request.WhichOneof("payload") or "nothing"
        if payload != ("config" if config is None else "cluster"):
            raise ConfigNotFirst("a stream is one config, then clusters", received=payload)
        if config is None:
            config = _checked_config(request.config)
            continue
        cluster = _decode(request.cluster)
        term_count += len(cluster.term_counts)
        require(cluster.cluster_id not in clusters, "cluster_id", "stands twice")
        require(len(clusters) < config.cluster_count, "cluster_count", "is less than were sent")
        require(term_count <= _MAX_TERMS_IN_ALL, "term_counts", "are over 5,000,000 in all")
        clusters[cluster.cluster_id] = cluster
    if config is None:
        raise ConfigNotFirst("a stream is one config, then clusters", received="nothing")
    require(len(clusters) == config.cluster_count, "cluster_count", "is more than were sent")
    return config, list(clusters.values())


def _checked_config(config: messages.AnalyzeClustersConfig) -> messages.AnalyzeClustersConfig:
    """Return the config if its fields are in range."""
    in_range = 0 <= config.cluster_count <= _MAX_CLUSTERS
    require(in_range, "cluster_count", f"is not in 0..{_MAX_CLUSTERS}")
    check_dataset(Dataset(config.dataset_description, config.language_code))
    return config


def _decode(cluster: messages.ClusterTexts) -> ClusterTexts:
    """Return the cluster if its fields are in range."""
    require(len(cluster.term_counts) <= MAX_TERMS, "term_counts", f"are over {MAX_TERMS}")
    counts = {item.term: item.count for item in cluster.term_counts if item.term}
    decoded = ClusterTexts(cluster.cluster_id, cluster.row_count, tuple(cluster.texts), counts)
    check_cluster(decoded)
    return decoded


def _kind(outcome: Outcome) -> str:
    if isinstance(outcome.result, ClusterAnalysis):
        return outcome.result.label_source.value
    return outcome.result.reason


def _encode(outcome: Outcome) -> messages.AnalyzeClustersResponse:
    """Return the outcome as a message."""
    response = messages.AnalyzeClustersResponse(
        cluster_id=outcome.cluster_id,
        prompt_token_count=outcome.usage.prompt_token_count,
        answer_token_count=outcome.usage.answer_token_count,
    )
    result = outcome.result
    if isinstance(result, ClusterAnalysis):
        response.analysis.label = result.label
        response.analysis.description = result.description
        response.analysis.keywords.extend(result.keywords)
        response.analysis.label_source = _LABEL_SOURCES[result.label_source]
    else:
        reason = f"ERROR_REASON_{result.reason}"
        failure = messages.AnalysisFailure(reason=reason, message=result.message)
        response.failure.CopyFrom(failure)
    return response
