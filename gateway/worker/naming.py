"""Names of clusters: keywords for all of them, a language model's words where there is one."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import structlog

from gateway.artifacts import ArtifactStore
from gateway.dataset import ClusterName, Dataset
from gateway.pipeline_types import ClusterTexts, NameOutcome, OnProgress, Stages
from gateway.store import DatasetStore
from gateway.tables import read_texts
from gateway.terms import count_terms
from gateway.worker.scattered_rows import read_cells
from gateway.worker.transient import with_retries
from level_rpc.errors import LevelError

log = structlog.get_logger(__name__)
_BLOCK_ROWS = 65_536
_FAILURES = {
    "PROVIDER_QUOTA": "its quota is used up",
    "PROVIDER_TIMEOUT": "it did not answer in time",
    "PROVIDER_BLOCKED": "it blocked the texts",
    "PROVIDER_ANSWER_MALFORMED": "its answer was not of the form asked for",
    "PROVIDER_UNAVAILABLE": "it could not be reached",
    "PROVIDER_KEY_REFUSED": "it refused the key (GEMINI_API_KEY)",
}


async def name_clusters(
    dataset: Dataset,
    artifacts: ArtifactStore,
    store: DatasetStore,
    stages: Stages,
    on_progress: OnProgress,
) -> list[ClusterName]:
    """Return a name for every cluster, by cluster id; each is stored as soon as it comes.

    A cluster that a language model was asked about before is not asked about again. When the
    analyzer cannot be reached at all, clusters are called "Cluster {id}", with a warning: naming
    never stops a dataset.
    """
    naming = _Naming(dataset, artifacts, store, on_progress)
    clusters = await asyncio.to_thread(naming.cluster_texts)
    try:
        await with_retries(lambda: naming.run(stages, clusters), seconds=60)
    except LevelError as error:
        log.warning("naming_degraded", dataset_id=dataset.dataset_id, reason=error.reason)
        await asyncio.to_thread(naming.name_generically, clusters)
    return await asyncio.to_thread(naming.finish)


class _Naming:
    def __init__(
        self,
        dataset: Dataset,
        artifacts: ArtifactStore,
        store: DatasetStore,
        on_progress: OnProgress,
    ) -> None:
        self._dataset = dataset
        self._artifacts = artifacts
        self._store = store
        self._on_progress = on_progress
        self._names = store.names(dataset.dataset_id)
        self._failures: Counter[str] = Counter()

    def cluster_texts(self) -> list[ClusterTexts]:
        """Return what every cluster is to be named from."""
        dataset, files = self._dataset, self._dataset.artifacts
        rows = self._artifacts.path(dataset.dataset_id, files["rows"])
        column = dataset.text_column
        labels = self._artifacts.open_array(dataset.dataset_id, files["labels"])
        clusters = self._artifacts.load_json(dataset.dataset_id, files["clusters"])
        terms = count_terms(_all_texts(rows, column, len(labels)), labels, len(clusters))
        exemplars = read_exemplars(rows, column, clusters)
        return [
            ClusterTexts(
                cluster_id=cluster["cluster_id"],
                row_count=cluster["size"],
                texts=() if self._was_asked(cluster["cluster_id"]) else exemplars[index],
                term_counts=tuple(terms[index].items()),
            )
            for index, cluster in enumerate(clusters)
        ]

    async def run(self, stages: Stages, clusters: list[ClusterTexts]) -> None:
        """Ask for names and store each as it comes."""
        parameters = self._dataset.parameters
        outcomes = stages.analyze(
            clusters,
            parameters.dataset_description,
            parameters.language_code,
            parameters.keywords_only,
        )
        came = 0
        async for outcome in outcomes:
            came += 1
            # The first answer for a cluster is its keywords, a second one the language model's.
            from_llm = came > len(clusters)
            await asyncio.to_thread(self._keep, outcome, from_llm)
            self._on_progress(came / max(2 * len(clusters), 1))

    def name_generically(self, clusters: Iterable[ClusterTexts]) -> None:
        """Name every cluster that has no name yet after its number."""
        missing = [one.cluster_id for one in clusters if one.cluster_id not in self._names]
        for cluster_id in missing:
            label = f"Cluster {cluster_id}"
            self._names[cluster_id] = ClusterName(cluster_id, label, "", (), "generic")
        self._store.put_names(self._dataset.dataset_id, self._names.values())
        if missing:
            warning = f"{len(missing)} clusters are named by number: the analyzer was not reached."
            self._store.note(self._dataset.dataset_id, warnings=[warning])

    def finish(self) -> list[ClusterName]:
        """Return all names by cluster id, after noting what failed."""
        failed = sum(self._failures.values())
        if failed:
            why = "; ".join(_FAILURES.get(reason, reason) for reason in sorted(self._failures))
            warning = f"{failed} clusters keep keyword names: the language model failed ({why})."
            counts = {"llm_failure_count": failed}
            self._store.note(self._dataset.dataset_id, warnings=[warning], counts=counts)
        return [self._names[cluster_id] for cluster_id in sorted(self._names)]

    def _was_asked(self, cluster_id: int) -> bool:
        return cluster_id in self._names and self._names[cluster_id].llm_asked

    def _keep(self, outcome: NameOutcome, from_llm: bool) -> None:
        current = self._names.get(outcome.cluster_id)
        if current and current.llm_asked and not from_llm:
            return  # a name that an interrupted run has stored already
        if outcome.failure:
            self._failures[outcome.failure] += 1
            if current is None:
                return
            name = ClusterName(**{**vars(current), "llm_asked": True})
        else:
            name = ClusterName(
                outcome.cluster_id,
                outcome.label,
                outcome.description,
                outcome.keywords or (current.keywords if current else ()),
                outcome.label_source,
                from_llm,
            )
        self._names[name.cluster_id] = name
        self._store.put_names(self._dataset.dataset_id, [name])


def read_exemplars(
    rows: Path, column: int, clusters: list[dict[str, Any]]
) -> list[tuple[str, ...]]:
    """Return the texts of each cluster's exemplars."""
    row_ids = list(chain.from_iterable(one["exemplar_row_ids"] for one in clusters))
    texts = iter(read_cells(rows, column, row_ids))
    return [tuple(next(texts) for _ in one["exemplar_row_ids"]) for one in clusters]


def _all_texts(rows: Path, column: int, row_count: int) -> Iterable[str]:
    for start in range(0, row_count, _BLOCK_ROWS):
        yield from read_texts(rows, column, start, start + _BLOCK_ROWS)
