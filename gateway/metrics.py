"""What Prometheus is told.

Counters are of this process, those of embeddings and gauges over datasets are of the store: every
gateway over one store says the same of them.
"""

from collections import Counter as Tally
from collections.abc import Callable, Iterator, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.dataset import Dataset, Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


# By the names of the store's totals. From the cache over all is the cache's hit rate.
_EMBEDDING_COUNTERS = {
    "row_count": ("texts", "Distinct texts embedded, those from the cache counted."),
    "cached_count": ("cached_texts", "Texts whose vectors came from the embedder's cache."),
    "token_count": ("tokens", "Tokens that embedding models computed."),
    "truncated_count": ("truncated_texts", "Texts of which only the beginning was embedded."),
    "chunked_count": ("chunked_texts", "Texts that were embedded in pieces."),
    "seconds": ("seconds", "Seconds that datasets were being embedded."),
}


class GatewayMetrics:
    """The metrics of one gateway process.

    Parameters
    ----------
    list_datasets : callable
        Returns every dataset; blocks, and is called at each scrape.
    datasets_in_memory : callable
        Returns how many datasets are in memory.
    embedding_totals : callable
        Returns what all embeddings add up to, by the names of `TextCounts`; blocks, as above.
    """

    def __init__(
        self,
        list_datasets: Callable[[], Sequence[Dataset]],
        datasets_in_memory: Callable[[], int],
        embedding_totals: Callable[[], dict[str, float]],
    ) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        registry.register(_DatasetCollector(list_datasets))
        registry.register(_EmbeddingCollector(embedding_totals))
        self._registry = registry
        self.uploads = Counter("level_uploads", "Uploads accepted.", registry=registry)
        self.adjustments = Counter(
            "level_adjustments", "Adjustments of weights made.", registry=registry
        )
        self.exports = Counter("level_exports", "Exports begun.", ["format"], registry=registry)
        self._requests = Histogram(
            "level_request_seconds",
            "Seconds until requests were answered, to their last byte.",
            ["method", "route", "status"],
            buckets=_SECONDS,
            registry=registry,
        )
        in_memory = Gauge(
            "level_datasets_in_memory", "Datasets held ready in memory.", registry=registry
        )
        in_memory.set_function(datasets_in_memory)

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note an answered request."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format; blocks."""
        return generate_latest(self._registry)


class _DatasetCollector(Collector):
    """What the store says of all datasets, at the moment of the scrape."""

    def __init__(self, list_datasets: Callable[[], Sequence[Dataset]]) -> None:
        self._list_datasets = list_datasets

    def describe(self) -> Iterator[Metric]:
        """Return nothing: what there is need not be known before there is something."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges."""
        datasets = self._list_datasets()
        yield _by_status(datasets)
        yield from _stage_seconds(datasets)
        failures = sum(dataset.counts.get("llm_failure_count", 0) for dataset in datasets)
        yield GaugeMetricFamily(
            "level_llm_failures",
            "Clusters of stored datasets that a language model was asked to name in vain.",
            failures,
        )


class _EmbeddingCollector(Collector):
    """What the store says of all embeddings, at the moment of the scrape."""

    def __init__(self, embedding_totals: Callable[[], dict[str, float]]) -> None:
        self._embedding_totals = embedding_totals

    def describe(self) -> Iterator[Metric]:
        """Return nothing, as above."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield the counters."""
        totals = self._embedding_totals()
        for total, (name, text) in _EMBEDDING_COUNTERS.items():
            yield CounterMetricFamily(f"level_embedding_{name}", text, totals.get(total, 0.0))


def _by_status(datasets: Sequence[Dataset]) -> Metric:
    family = GaugeMetricFamily("level_datasets", "Stored datasets.", labels=["status"])
    tally = Tally(dataset.status for dataset in datasets)
    for status in Status:
        family.add_metric([status], tally[status])
    return family


def _stage_seconds(datasets: Sequence[Dataset]) -> Iterator[Metric]:
    seconds: Tally[str] = Tally()
    runs: Tally[str] = Tally()
    for dataset in datasets:
        for stage, duration in dataset.timings.items():
            seconds[stage] += duration  # type: ignore[assignment]
            runs[stage] += 1
    for name, text, values in (
        ("level_stage_seconds", "Seconds of a stage, summed over stored datasets.", seconds),
        ("level_stage_runs", "Stored datasets that have finished a stage.", runs),
    ):
        family = GaugeMetricFamily(name, text, labels=["stage"])
        for stage, value in values.items():
            family.add_metric([stage], value)
        yield family
