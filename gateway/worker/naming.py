"""Names of clusters: keywords for all of them, a language model's words where there is one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import structlog

from gateway.artifacts import ArtifactStore
from gateway.dataset import ClusterName, Dataset
from gateway.errors import DatasetNotFound, StoreUnavailable
from gateway.pipeline_types import ClusterTexts, NameOutcome, OnProgress, Stages
from gateway.store import DatasetStore
from gateway.worker.cluster_texts import LayerTexts, read_layer_texts
from gateway.worker.transient import in_store, with_retries
from level_rpc.errors import LevelError

log = structlog.get_logger(__name__)
PATIENCE_SECONDS = 60.0
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
    """Return a name for every cluster of every layer, by cluster id; each is stored as it comes.

    Names are told apart within a layer. A language model is asked about the terrain layer alone,
    and not again about a cluster that it was asked about before. When the analyzer cannot be
    reached at all, clusters are called "Cluster {id}", with a warning: naming never stops a
    dataset.
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
        self._layers: list[LayerTexts] = []
        self._names: dict[int, ClusterName] = {}

    def load(self) -> None:
        """Read what every cluster is to be named from, and the names it has already."""
        self._names = self._store.names(self._dataset.dataset_id)
        self._layers = read_layer_texts(self._dataset, self._artifacts)

    async def run(self, stages: Stages) -> None:
        """Ask for names and store them: the terrain layer's last, for they may take long."""
        for layer in sorted(self._layers, key=lambda one: one.is_terrain_layer):
            await self._name_layer(stages, layer)

    async def _name_layer(self, stages: Stages, layer: LayerTexts) -> None:
        """Store the keyword names of a layer together, then a language model's each as it comes."""
        parameters = self._dataset.parameters
        outcomes = stages.analyze(
            [replace(one, texts=()) if self._was_asked(one) else one for one in layer.clusters],
            parameters.dataset_description,
            parameters.language_code,
            parameters.keywords_only or not layer.is_terrain_layer,
        )
        known = {one.cluster_id for one in layer.clusters}
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
            if layer.is_terrain_layer:
                self._on_progress(came / (2 * len(known)))
        await in_store(self._keep, waiting)

    def name_generically(self) -> None:
        """Name every cluster that has no name yet after its number."""
        missing = [one for one in self._cluster_ids if one not in self._names]
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
        return [self._names[cluster_id] for cluster_id in self._cluster_ids]

    @property
    def _cluster_ids(self) -> list[int]:
        return sorted(one.cluster_id for layer in self._layers for one in layer.clusters)

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
