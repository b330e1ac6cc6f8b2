"""Names of clusters, whatever the analyzer answers."""

from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gateway.artifacts import ArtifactStore
from gateway.database import Database
from gateway.dataset import ClusterName
from gateway.pipeline_types import NameOutcome
from gateway.store import DatasetStore
from gateway.worker.naming import name_clusters
from level_rpc.errors import InvalidArgument, Unavailable
from tests.support.store_cases import add_dataset

TEXTS = ["lost card", "card lost again", "a transfer failed", "transfer of money", "card"]
LABELS = np.array([0, 0, 1, 1, 0], np.int32)


class Analyzer:
    """The other end of the wire: answers what it is told, and keeps the questions."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self.questions = []

    async def analyze(self, clusters, dataset_description, language_code, keywords_only):
        self.questions.append(clusters)
        for outcome in self._answers.pop(0):
            if isinstance(outcome, Exception):
                raise outcome
            yield outcome


@pytest.fixture
def store(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'level.sqlite'}")
    database.create_tables()
    yield DatasetStore(database)
    database.close()


@pytest.fixture
def artifacts(tmp_path):
    return ArtifactStore(tmp_path)


@pytest.fixture
def dataset(store, artifacts):
    dataset_id = str(uuid4())
    path = artifacts.incoming_dir(dataset_id) / "rows.parquet"
    pq.write_table(pa.table({"c0": [""] * len(TEXTS), "c1": TEXTS}), path)
    artifacts.accept(dataset_id)
    clusters = [
        {"cluster_id": 0, "size": 3, "exemplar_row_ids": [1, 0]},
        {"cluster_id": 1, "size": 2, "exemplar_row_ids": [3]},
    ]
    add_dataset(store, dataset_id, [artifacts.describe(dataset_id, "rows", "rows.parquet")])
    store.put_artifacts(
        dataset_id,
        artifacts.save_array(dataset_id, "labels", LABELS),
        artifacts.save_json(dataset_id, "clusters", clusters),
    )
    return store.get(dataset_id)


@pytest.fixture
def name(dataset, artifacts, store):
    async def name(*answers):
        analyzer = Analyzer(*answers)
        names = await name_clusters(dataset, artifacts, store, analyzer, lambda _: None, 0)
        noted = store.get(dataset.dataset_id)
        assert store.names(dataset.dataset_id) == {one.cluster_id: one for one in names}
        return names, noted.warnings[1:], analyzer.questions

    return name


def keywords(cluster_id, label):
    return NameOutcome(cluster_id, label, "", (label,), "keywords")


KEYWORDS = (keywords(0, "card"), keywords(1, "transfer"))
LLM = (
    NameOutcome(1, "Money transfers", "About transfers.", (), "llm"),
    NameOutcome(0, "Lost cards", "About cards.", (), "llm"),
)


async def test_it_tells_the_analyzer_terms_and_exemplars(name):
    _, _, ((first, second),) = await name(KEYWORDS)
    assert (first.cluster_id, first.row_count, first.texts) == (0, 3, (TEXTS[1], TEXTS[0]))
    assert dict(first.term_counts)["card"] == 3
    assert second.texts == (TEXTS[3],)


async def test_keyword_names_stand_without_a_language_model(name):
    names, warnings, _ = await name(KEYWORDS)
    assert [(one.label, one.label_source, one.llm_asked) for one in names] == [
        ("card", "keywords", False),
        ("transfer", "keywords", False),
    ]
    assert warnings == ()


async def test_the_language_models_words_replace_keyword_names(name):
    names, warnings, _ = await name(KEYWORDS + LLM)
    assert [(one.label, one.keywords, one.label_source) for one in names] == [
        ("Lost cards", ("card",), "llm"),
        ("Money transfers", ("transfer",), "llm"),
    ]
    assert warnings == ()


async def test_a_failure_of_the_language_model_leaves_keywords_and_says_why(name):
    failed = NameOutcome(0, failure="PROVIDER_QUOTA")
    names, (warning,), _ = await name((*KEYWORDS, LLM[0], failed))
    assert [one.label for one in names] == ["card", "Money transfers"]
    assert all(one.llm_asked for one in names)
    assert "1 clusters" in warning and "quota" in warning


async def test_an_analyzer_that_dies_half_way_costs_only_what_it_had_not_said(name):
    names, warnings, _ = await name((*KEYWORDS, LLM[0], Unavailable("gone")))
    assert [one.label for one in names] == ["card", "Money transfers"]
    assert warnings == ()


@pytest.mark.parametrize("error", [Unavailable("away"), InvalidArgument("what?")])
async def test_without_an_analyzer_clusters_are_named_by_number(name, error):
    names, (warning,), _ = await name([error])
    assert [(one.label, one.label_source) for one in names] == [
        ("Cluster 0", "generic"),
        ("Cluster 1", "generic"),
    ]
    assert warning.startswith("2 clusters")


async def test_answers_about_unknown_clusters_are_not_believed(name):
    names, _, _ = await name((keywords(9, "evil"), *KEYWORDS, keywords(-1, "evil")))
    assert [one.label for one in names] == ["card", "transfer"]


async def test_a_cluster_without_an_answer_is_named_by_number(name):
    names, _, _ = await name(KEYWORDS[:1])
    assert [one.label for one in names] == ["card", "Cluster 1"]


async def test_what_was_asked_before_is_not_asked_again(name, store, dataset):
    known = ClusterName(1, "Money transfers", "", ("transfer",), "llm", True)
    store.put_names(dataset.dataset_id, [known])
    names, _, ((first, second),) = await name((*KEYWORDS, LLM[1]))
    assert (first.texts, second.texts) == ((TEXTS[1], TEXTS[0]), ())
    assert [one.label for one in names] == ["Lost cards", "Money transfers"]
