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
        self.keywords_only = []

    async def analyze(self, clusters, dataset_description, language_code, keywords_only):
        self.questions.append(clusters)
        self.keywords_only.append(keywords_only)
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


async def test_other_layers_are_named_by_keywords_before_the_terrain_is(dataset, artifacts, store):
    dataset_id = dataset.dataset_id
    fine = [
        {"cluster_id": 2, "size": 2, "exemplar_row_ids": [2], "parent_id": 1},
        {"cluster_id": 3, "size": 2, "exemplar_row_ids": [0], "parent_id": 0},
        {"cluster_id": 4, "size": 1, "exemplar_row_ids": [4], "parent_id": 0},
    ]
    coarse = [{"cluster_id": 5, "size": 5, "exemplar_row_ids": [0], "parent_id": -1}]
    terrain = artifacts.load_json(dataset_id, dataset.artifacts["clusters"])
    layers = [
        {"layer_index": index, "is_terrain_layer": clusters is terrain, "clusters": clusters}
        for index, clusters in enumerate(
            (fine, [{**one, "parent_id": 5} for one in terrain], coarse)
        )
    ]
    layers[1]["is_terrain_layer"] = True
    fine_labels = np.array([3, 3, 2, 2, 4], np.int32)
    store.put_artifacts(
        dataset_id,
        artifacts.save_array(dataset_id, "labels-0", fine_labels),
        artifacts.save_json(dataset_id, "layers", layers),
    )
    finer = [keywords(cluster_id, f"fine {cluster_id}") for cluster_id in (2, 3, 4)]
    analyzer = Analyzer(finer, [keywords(5, "all")], KEYWORDS + LLM)
    dataset = store.get(dataset_id)
    names = await name_clusters(dataset, artifacts, store, analyzer, lambda _: None, 0)
    assert [one.cluster_id for one in names] == list(range(6))
    assert [one.label_source for one in names] == ["llm"] * 2 + ["keywords"] * 4
    assert analyzer.keywords_only == [True, True, False]
    assert [any(one.texts for one in asked) for asked in analyzer.questions] == [False, False, True]
    counts = [
        [dict(one.term_counts).get("card", 0) for one in asked] for asked in analyzer.questions
    ]
    assert counts == [[0, 2, 1], [3], [3, 0]]


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
