"""Names of clusters: keywords for all of them, a language model's words where there is one."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import structlog

from gateway.artifacts import ArtifactStore
from gateway.dataset import ClusterName, Dataset
from gateway.errors import DatasetNotFound, StoreUnavailable
from gateway.pipeline_types import ClusterTexts, NameOutcome, OnProgress, Stages
from gateway.store import DatasetStore
from gateway.tables import read_texts
from gateway.terms import count_terms
from gateway.worker.scattered_rows import read_cells
from gateway.worker.transient import in_store, with_retries
from level_rpc.errors import LevelError

log = structlog.get_logger(__name__)
PATIENCE_SECONDS = 60.0
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
    patience_seconds: float = PATIENCE_SECONDS,
) -> list[ClusterName]:
    """Return a name for every cluster, by cluster id; each is stored as soon as it comes.

    A cluster that a language model was asked about before is not asked about again. When the
    analyzer cannot be reached at all, clusters are called "Cluster {id}", with a warning: naming
    never stops a dataset.
    """
    naming = _Naming(dataset, artifacts, store, on_progress)
    await in_store(naming.load)
    try:
        await with_retries(lambda: naming.run(stages), min(patience_seconds, PATIENCE_SECONDS))
    except (DatasetNotFound, StoreUnavailable):
        raise  # the analyzer is not to blame
    except LevelError as error:
        log.warning("naming_degraded", dataset_id=dataset.dataset_id, reason=error.reason)
    await in_store(naming.name_generically)
    return await in_store(naming.finish)


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
        self._failures: Counter[str] = Counter()
        self._clusters: list[ClusterTexts] = []
        self._names: dict[int, ClusterName] = {}

    def load(self) -> None:
        """Read what every cluster is to be named from, and the names it has already."""
        dataset, files = self._dataset, self._dataset.artifacts
        self._names = self._store.names(dataset.dataset_id)
        rows = self._artifacts.path(dataset.dataset_id, files["rows"])
        column = dataset.text_column
        labels = self._artifacts.open_array(dataset.dataset_id, files["labels"])
        clusters = self._artifacts.load_json(dataset.dataset_id, files["clusters"])
        terms = count_terms(_all_texts(rows, column, len(labels)), labels, len(clusters))
        exemplars = read_exemplars(rows, column, clusters)
        self._clusters = [
            ClusterTexts(
                cluster_id=cluster["cluster_id"],
                row_count=cluster["size"],
                texts=exemplars[index],
                term_counts=tuple(terms[index].items()),
            )
            for index, cluster in enumerate(clusters)
        ]

    async def run(self, stages: Stages) -> None:
        """Ask for names and store them: the keyword names together, then each as it comes."""
        parameters = self._dataset.parameters
        outcomes = stages.analyze(
            [replace(one, texts=()) if self._was_asked(one) else one for one in self._clusters],
            parameters.dataset_description,
            parameters.language_code,
            parameters.keywords_only,
        )
        known = {one.cluster_id for one in self._clusters}
        waiting: list[NameOutcome] = []
        came = 0
        async for outcome in outcomes:
            if outcome.cluster_id not in known:
                continue  # no analyzer of ours answers so
            came += 1
            waiting.append(outcome)
            if came >= len(known):
                await in_store(self._keep, waiting)
                waiting = []
            self._on_progress(came / (2 * len(known)))
        await in_store(self._keep, waiting)

    def name_generically(self) -> None:
        """Name every cluster that has no name yet after its number."""
        missing = [one.cluster_id for one in self._clusters if one.cluster_id not in self._names]
        if not missing:
            return
        for cluster_id in missing:
            label = f"Cluster {cluster_id}"
            self._names[cluster_id] = ClusterName(cluster_id, label, "", (), "generic")
        self._store.put_names(self._dataset.dataset_id, self._names.values())
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
        return [self._names[one.cluster_id] for one in self._clusters]

    def _was_asked(self, cluster: ClusterTexts) -> bool:
        name = self._names.get(cluster.cluster_id)
        return name is not None and name.llm_asked

    def _keep(self, outcomes: Sequence[NameOutcome]) -> None:
        names = dict(self._names)
        for outcome in outcomes:
            current = names.get(outcome.cluster_id)
            if _is_from_llm(outcome) or not (current and current.llm_asked):
                names[outcome.cluster_id] = _name_of(outcome, current)
        changed = [name for key, name in names.items() if self._names.get(key) is not name]
        if changed:
            self._store.put_names(self._dataset.dataset_id, changed)
        self._failures.update(outcome.failure for outcome in outcomes if outcome.failure)
        self._names = names


def _is_from_llm(outcome: NameOutcome) -> bool:
    return bool(outcome.failure) or outcome.label_source == "llm"


def _name_of(outcome: NameOutcome, current: ClusterName | None) -> ClusterName:
    """Return the name that an outcome gives to a cluster; a failure leaves the one it has."""
    if outcome.failure and current is not None:
        return replace(current, llm_asked=True)
    return ClusterName(
        outcome.cluster_id,
        outcome.label or f"Cluster {outcome.cluster_id}",
        outcome.description,
        outcome.keywords or (current.keywords if current else ()),
        outcome.label_source or "generic",
        _is_from_llm(outcome),
    )


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
