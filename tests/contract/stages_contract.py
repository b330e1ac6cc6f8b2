"""What every implementation of `Stages` must do; a subclass gives the fixture `stages`.

::

    class TestMyStages(StagesContract):
        @pytest.fixture
        async def stages(self): ...
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from gateway.embedded_texts import LongTexts, TextCounts
from gateway.pipeline_types import (
    AssignModel,
    Clustering,
    ClusterTexts,
    ExemplarKind,
    HillShape,
    Stages,
)
from level_rpc.errors import FailedPrecondition, InvalidArgument
from levelling.duplicates.near_duplicates import find_near_duplicates
from levelling.plans.picks import PickTask
from levelling.request import SamplingStrategy
from levelling.selection import select_rows

TOPICS = {
    "refund": ("I want my money back", "please refund my order", "when do I get my refund"),
    "password": ("I forgot my password", "reset my password please", "the password is wrong"),
    "parcel": ("where is my parcel", "the parcel is late", "my parcel never came"),
}
TEXTS = [
    f"{text}, {ending}"
    for texts in TOPICS.values()
    for text in texts
    for ending in (
        "thanks",
        "thank you very much",
        "regards",
        "kind regards from Ana",
        "best wishes",
    )
]


def unlike_sizes(seed: int = 0) -> np.ndarray:
    """Return three tight groups of 60, 30 and 10 unit vectors, some of them equal."""
    random = np.random.default_rng(seed)
    rows = np.repeat(random.normal(size=(3, 12)), [60, 30, 10], axis=0)
    rows += 0.05 * random.normal(size=rows.shape)
    rows[1] = rows[0]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("f4")


class Heard:
    """Keeps the progress that it is told."""

    def __init__(self) -> None:
        self.fractions: list[float] = []

    def __call__(self, fraction: float) -> None:
        self.fractions.append(fraction)


async def cluster(stages: Stages, vectors: np.ndarray, algorithm: str = "hdbscan", **options):
    """Return a clustering and the progress told of it."""
    heard = Heard()
    arguments = {
        "random_seed": 0,
        "neighbor_count": 10,
        "exemplar_count": 5,
        "exemplar_kind": ExemplarKind.CENTRAL,
        **options,
    }
    parameters = arguments.pop("parameters", {})
    clustering = await stages.cluster(
        vectors, algorithm, parameters, on_progress=heard, **arguments
    )
    return clustering, heard.fractions


def model_of(clustering: Clustering, vectors: np.ndarray, positions=None) -> AssignModel:
    """Return what new rows are assigned to, from what was stored of a clustering."""
    rows = clustering.landmarks.row_ids
    return AssignModel(
        vectors[rows],
        clustering.terrain_layer.labels[rows],
        clustering.landmarks.reaches,
        None if positions is None else positions[rows],
    )


def task_for(
    labels: np.ndarray, strategy: SamplingStrategy, counts: Sequence[int] | None
) -> PickTask:
    """Return the task of choosing 24 rows of three clusters, so many of each or the best."""
    everywhere = np.ones(len(labels), np.bool_)
    return PickTask(
        labels=labels,
        slot_count=3,
        counts=None if counts is None else np.array(counts),
        budget=24,
        candidates=everywhere,
        near_dup_groups=None,
        keepers=everywhere,
        strategy=strategy,
        seed=7,
    )


async def analyze(stages: Stages, clusters: Sequence[ClusterTexts]):
    """Return all keyword outcomes."""
    return [outcome async for outcome in stages.analyze(clusters, "support", "", True)]


class StagesContract:
    """The suite."""

    async def test_embedding_names_its_model(self, stages: Stages):
        answer = await stages.embed(TEXTS)
        assert answer.model == await stages.get_model()
        assert answer.vectors.shape == (len(TEXTS), answer.model.dimension_count)
        assert answer.vectors.dtype == np.float32
        assert np.linalg.norm(answer.vectors, axis=1) == pytest.approx(1, abs=1e-4)
        assert answer.counts.truncated_count == answer.counts.chunked_count == 0
        assert answer.counts.row_count == len(TEXTS)

    async def test_a_vector_does_not_depend_on_its_neighbours(self, stages: Stages):
        together = (await stages.embed(TEXTS)).vectors
        for row in (0, 17, len(TEXTS) - 1):
            alone = (await stages.embed([TEXTS[row]])).vectors[0]
            assert np.abs(alone - together[row]).max() <= 1e-5

    async def test_no_texts_give_no_vectors(self, stages: Stages):
        answer = await stages.embed([])
        assert answer.vectors.shape == (0, answer.model.dimension_count)

    async def test_hostile_texts_are_embedded(self, stages: Stages):
        texts = ["", "\x00", "\ud800 lone", "<script>", "\u202e", "a" * 300_000, "é" * 200_000]
        answer = await stages.embed(texts)
        assert np.isfinite(answer.vectors).all()
        assert answer.counts.truncated_count == 2

    async def test_rows_are_told_of_as_they_are_done(self, stages: Stages):
        heard: list[TextCounts] = []
        answer = await stages.embed(TEXTS, on_rows=heard.append)
        assert sum(heard, TextCounts()) == answer.counts
        assert all(counts.row_count > 0 for counts in heard)

    async def test_the_same_texts_again_give_the_same_vectors(self, stages: Stages):
        texts = [f"{text}, again" for text in TEXTS]
        first = await stages.embed(texts)
        again = await stages.embed(texts[::-1])
        assert np.abs(first.vectors - again.vectors[::-1]).max() <= 1e-5
        assert again.counts.token_count <= first.counts.token_count

    async def test_long_texts_are_cut_or_read_in_pieces(self, stages: Stages):
        words = (await stages.get_model()).max_token_count + 20
        texts = ["refund " * words + ending for ending in ("", "password " * words)]
        cut = await stages.embed(texts)
        assert (cut.counts.truncated_count, cut.counts.chunked_count) == (2, 0)
        assert np.abs(cut.vectors[0] - cut.vectors[1]).max() <= 1e-5
        whole = await stages.embed(texts, long_texts=LongTexts.MEAN)
        assert (whole.counts.truncated_count, whole.counts.chunked_count) == (0, 2)
        assert np.linalg.norm(whole.vectors, axis=1) == pytest.approx(1, abs=1e-4)
        assert np.abs(whole.vectors[0] - whole.vectors[1]).max() > 0.05

    async def test_a_query_is_nearest_to_the_texts_of_its_topic(self, stages: Stages):
        model = await stages.get_model()
        vectors = (await stages.embed(TEXTS)).vectors
        query = await stages.embed_query("how do I change my password?", model.fingerprint)
        assert query.shape == (model.dimension_count,) and query.dtype == np.float32
        assert np.linalg.norm(query) == pytest.approx(1, abs=1e-4)
        assert "password" in TEXTS[int((vectors @ query).argmax())]
        with pytest.raises(FailedPrecondition):
            await stages.embed_query("hello", "another")

    async def test_there_is_an_embedder(self, stages: Stages):
        assert await stages.count_embedders() >= 1

    async def test_another_model_than_expected_is_refused(self, stages: Stages):
        fingerprint = (await stages.get_model()).fingerprint
        assert len((await stages.embed(["hello"], fingerprint)).vectors) == 1
        with pytest.raises(FailedPrecondition) as caught:
            await stages.embed(["hello"], "another")
        assert caught.value.reason == "MODEL_MISMATCH"

    async def test_clusters_agree_with_labels(self, stages: Stages):
        vectors = unlike_sizes()
        clustering, progress = await cluster(stages, vectors)
        layer = clustering.terrain_layer
        assert [one.size for one in layer.clusters] == [60, 30, 10]
        assert [one.cluster_id for one in layer.clusters] == [0, 1, 2]
        assert np.bincount(layer.labels[layer.labels >= 0]).tolist() == [60, 30, 10]
        assert np.array_equal(layer.nearest, layer.labels)
        assert layer.centroids.shape == (3, vectors.shape[1])
        assert layer.strengths.shape == (100,)
        assert progress == sorted(progress) and 0 <= progress[0] and progress[-1] <= 1
        for one in layer.clusters:
            assert 1 <= len(one.exemplar_row_ids) <= 5
            assert {int(layer.labels[row]) for row in one.exemplar_row_ids} == {one.cluster_id}

    @pytest.mark.parametrize("algorithm", ["", "hdbscan"])
    async def test_layers_are_nested_and_landmarks_are_rows(self, stages: Stages, algorithm: str):
        random = np.random.default_rng(0)
        vectors = np.repeat(random.normal(size=(12, 8)), 50, axis=0)
        vectors += 0.2 * random.normal(size=vectors.shape)
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("f4")
        clustering, _ = await cluster(stages, vectors, algorithm)
        noise = clustering.layers[0].labels == -1
        for layer in clustering.layers:
            assert np.array_equal(layer.labels == -1, noise)
            for one in layer.clusters:
                rows = layer.labels == one.cluster_id
                assert one.size == rows.sum()
                assert one.stability is None or 0 <= one.stability <= 1
        for fine, coarse in pairwise(clustering.layers):
            parent_of = {one.cluster_id: one.parent_id for one in fine.clusters} | {-1: -1}
            assert [parent_of[label] for label in fine.labels.tolist()] == coarse.labels.tolist()
        landmarks = clustering.landmarks
        assert (np.diff(landmarks.row_ids) > 0).all()
        assert landmarks.row_ids.dtype == np.int64 and landmarks.row_ids.max() < len(vectors)
        assert landmarks.reaches.shape == landmarks.row_ids.shape

    @pytest.mark.parametrize("kind", ExemplarKind)
    async def test_exemplars_of_each_kind_are_rows_of_their_cluster(
        self, stages: Stages, kind: ExemplarKind
    ):
        clustering, _ = await cluster(stages, unlike_sizes(), exemplar_kind=kind)
        labels = clustering.terrain_layer.labels
        for one in clustering.terrain_layer.clusters:
            assert {int(labels[row]) for row in one.exemplar_row_ids} == {one.cluster_id}

    async def test_the_outcome_says_what_was_done(self, stages: Stages):
        clustering, _ = await cluster(stages, unlike_sizes(), "")
        outcome = clustering.outcome
        assert {"algorithm", "reason", "parameters", "noise_count", "graph_recall"} <= set(outcome)
        assert outcome["layer_count"] == len(clustering.layers) and outcome["layer_reason"]
        noise = outcome["noise"]
        assert noise["count"] == outcome["noise_count"] and noise["reason"]
        assert noise["count"] == noise["sparse_count"] + noise["small_cluster_count"]
        assert outcome["algorithm"] not in ("", "auto")
        assert outcome["noise_count"] == int((clustering.terrain_layer.labels == -1).sum())

    async def test_equal_requests_get_equal_answers(self, stages: Stages):
        first, _ = await cluster(stages, unlike_sizes(), "", random_seed=5)
        again, _ = await cluster(stages, unlike_sizes(), "", random_seed=5)
        assert first.outcome == again.outcome
        assert np.array_equal(first.terrain_layer.labels, again.terrain_layer.labels)
        assert np.array_equal(first.graph.indices, again.graph.indices)

    async def test_rows_of_one_group_lie_together(self, stages: Stages):
        clustering, _ = await cluster(stages, unlike_sizes())
        heard, labels = Heard(), clustering.terrain_layer.labels
        layout = await stages.lay_out(clustering.graph, labels, 0, heard)
        positions = layout.positions
        assert positions.shape == (100, 2) and np.abs(positions).max() <= 1
        assert 0 <= layout.neighbor_preservation <= 1
        assert 0.9 < layout.own_hill_fraction <= 1
        assert np.array_equal(positions[0], positions[1])  # the rows are equal
        assert heard.fractions == sorted(heard.fractions)
        centres = np.array([positions[labels == one].mean(axis=0) for one in range(3)])
        gaps = np.linalg.norm(positions[:, None] - centres, axis=2)
        assert (gaps.argmin(axis=1) == labels).mean() > 0.9

    async def test_drafts_of_a_layout_come_on_request(self, stages: Stages):
        clustering, _ = await cluster(stages, unlike_sizes())
        labels, drafts = clustering.terrain_layer.labels, []
        layout = await stages.lay_out(clustering.graph, labels, 0, Heard(), drafts.append)
        assert all(draft.shape == (100, 2) for draft in drafts)
        plain = await stages.lay_out(clustering.graph, labels, 0, Heard())
        assert np.array_equal(layout.positions, plain.positions)

    async def test_known_rows_are_assigned_to_their_own_clusters(self, stages: Stages):
        vectors = unlike_sizes()
        clustering, _ = await cluster(stages, vectors)
        labels = clustering.terrain_layer.labels
        layout = await stages.lay_out(clustering.graph, labels, 0, Heard())
        heard = Heard()
        model = model_of(clustering, vectors, layout.positions)
        assigned = await stages.assign(model, vectors, heard)
        assert (assigned.labels == labels).mean() > 0.95
        assert assigned.strengths.min() >= 0 and assigned.strengths.max() <= 1
        centres = np.array([layout.positions[labels == one].mean(axis=0) for one in range(3)])
        gaps = np.linalg.norm(assigned.positions[:, None] - centres, axis=2)
        assert (gaps.argmin(axis=1) == labels).mean() > 0.9
        assert heard.fractions == sorted(heard.fractions)

    async def test_a_row_like_none_is_assigned_to_noise(self, stages: Stages):
        vectors = unlike_sizes()
        clustering, _ = await cluster(stages, vectors)
        far = -vectors[:60].mean(axis=0, keepdims=True)
        assigned = await stages.assign(model_of(clustering, vectors), far.astype("f4"), Heard())
        assert assigned.labels.tolist() == [-1]
        assert assigned.nearest[0] in (0, 1, 2)
        assert assigned.positions is None

    @pytest.mark.parametrize("keys", [None, "pairs"])
    async def test_near_duplicates_are_grouped(self, stages: Stages, keys: str | None):
        vectors = unlike_sizes()
        clustering, _ = await cluster(stages, vectors)
        heard = Heard()
        text_keys = np.arange(100) // 2 if keys else None
        groups = await stages.find_near_duplicates(clustering.graph, 0.0005, text_keys, heard)
        assert groups.dtype == np.int32 and groups.shape == (100,)
        assert np.array_equal(groups[groups], groups)  # each is called by a row of its own
        assert groups[0] == groups[1]  # the rows are equal
        expected = find_near_duplicates(
            clustering.graph.row_nodes,
            clustering.graph.indices,
            clustering.graph.distances,
            0.0005,
            text_keys,
        )
        assert np.array_equal(groups, expected.groups)
        assert heard.fractions == sorted(heard.fractions)

    @pytest.mark.parametrize("max_distance", [-0.1, 2.1, float("nan")])
    async def test_a_distance_that_is_none_is_refused(self, stages: Stages, max_distance: float):
        clustering, _ = await cluster(stages, unlike_sizes())
        with pytest.raises(InvalidArgument) as caught:
            await stages.find_near_duplicates(clustering.graph, max_distance, None, Heard())
        assert caught.value.reason == "FIELD_INVALID"

    async def test_text_keys_of_other_rows_are_refused(self, stages: Stages):
        clustering, _ = await cluster(stages, unlike_sizes())
        with pytest.raises(InvalidArgument):
            await stages.find_near_duplicates(clustering.graph, 0.1, np.arange(99), Heard())

    @pytest.mark.parametrize("strategy", SamplingStrategy)
    @pytest.mark.parametrize("counts", [None, (10, 10, 4)])
    async def test_rows_are_selected(
        self, stages: Stages, strategy: SamplingStrategy, counts: tuple[int, ...] | None
    ):
        vectors = unlike_sizes()
        clustering, _ = await cluster(stages, vectors)
        task = task_for(clustering.terrain_layer.labels, strategy, counts)
        heard = Heard()
        selection = await stages.select_rows(vectors, clustering.graph, task, heard)
        graph = clustering.graph
        arrays = (graph.row_nodes, graph.indices, graph.distances)
        expected = select_rows(vectors, arrays, task)
        assert np.array_equal(selection.rows, expected.rows)
        assert selection.rows.dtype == np.int64 and selection.rows.size == task.budget
        assert selection.coverage == pytest.approx(expected.coverage)
        assert selection.coverage_distance == pytest.approx(expected.coverage_distance)
        assert heard.fractions == sorted(heard.fractions)

    @pytest.mark.parametrize(
        "changes",
        [
            {"budget": 101},
            {"seed": -1},
            {"slot_count": 2},
            {"counts": np.array([30, 30, -1])},
            {"counts": np.array([24, 0])},
            {"labels": np.zeros(99, np.int32)},
            {"keepers": np.ones(99, np.bool_)},
            {"near_dup_groups": np.full(100, 100, np.int32)},
        ],
        ids=lambda changes: "-".join(changes),
    )
    async def test_rows_that_cannot_be_selected_are_refused(self, stages: Stages, changes: dict):
        vectors = unlike_sizes()
        clustering, _ = await cluster(stages, vectors)
        labels = clustering.terrain_layer.labels
        task = replace(task_for(labels, SamplingStrategy.DIVERSE, (10, 10, 4)), **changes)
        with pytest.raises(InvalidArgument):
            await stages.select_rows(vectors, clustering.graph, task, Heard())

    @pytest.mark.parametrize("rows", [1, 2, 3])
    async def test_few_rows_pass_through(self, stages: Stages, rows: int):
        clustering, _ = await cluster(stages, unlike_sizes()[:rows], "")
        assert len(clustering.terrain_layer.labels) == rows
        layout = await stages.lay_out(clustering.graph, None, 0, Heard())
        assert layout.positions.shape == (rows, 2)
        assert layout.own_hill_fraction is None

    @pytest.mark.parametrize(
        ("algorithm", "parameters", "reason"),
        [
            ("magic", {}, "ALGORITHM_UNKNOWN"),
            ("dbscan", {"eps": -1.0}, "PARAMETER_INVALID"),
            ("dbscan", {"eps": "wide"}, "PARAMETER_INVALID"),
            ("dbscan", {"nonsense": True}, "PARAMETER_INVALID"),
        ],
    )
    async def test_wrong_parameters_are_refused(
        self, stages: Stages, algorithm: str, parameters: dict, reason: str
    ):
        with pytest.raises(InvalidArgument) as caught:
            await stages.check_parameters(algorithm, parameters)
        assert caught.value.reason == reason
        with pytest.raises(InvalidArgument) as caught:
            await cluster(stages, unlike_sizes(), algorithm, parameters=parameters)
        assert caught.value.reason == reason

    @pytest.mark.parametrize(
        ("algorithm", "parameters"), [("", {}), ("auto", {}), ("dbscan", {"eps": 0.3})]
    )
    async def test_right_parameters_pass(self, stages: Stages, algorithm: str, parameters: dict):
        await stages.check_parameters(algorithm, parameters)

    async def test_vectors_that_are_no_numbers_are_refused(self, stages: Stages):
        vectors = unlike_sizes()
        vectors[3, 3] = np.nan
        with pytest.raises(InvalidArgument) as caught:
            await cluster(stages, vectors)
        assert caught.value.reason == "TENSOR_NOT_FINITE"

    async def test_clustering_can_be_broken_off(self, stages: Stages):
        vectors = np.random.default_rng(0).normal(size=(20_000, 256)).astype("f4")
        work = asyncio.create_task(cluster(stages, vectors, "dbscan"))
        await asyncio.sleep(0.5)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        clustering, _ = await cluster(stages, unlike_sizes())
        assert len(clustering.terrain_layer.clusters) == 3

    async def test_keywords_name_every_cluster(self, stages: Stages):
        clusters = [
            ClusterTexts(number, 15, texts, ((topic, 15), ("please", 9)))
            for number, (topic, texts) in enumerate(TOPICS.items())
        ]
        outcomes = await analyze(stages, clusters)
        assert [outcome.cluster_id for outcome in outcomes] == [0, 1, 2]
        assert [outcome.label_source for outcome in outcomes] == ["keywords"] * 3
        assert len({outcome.label for outcome in outcomes}) == 3
        for outcome, topic in zip(outcomes, TOPICS, strict=True):
            assert outcome.keywords[0] == topic
            assert not outcome.failure

    async def test_clusters_without_words_are_numbered(self, stages: Stages):
        (outcome,) = await analyze(stages, [ClusterTexts(4, 3, (), ())])
        assert (outcome.label, outcome.label_source) == ("Cluster 4", "generic")

    async def test_no_clusters_have_no_names(self, stages: Stages):
        assert await analyze(stages, []) == []

    async def test_hills_raise_the_ground(self, stages: Stages):
        hills = [HillShape(0, 5.0, 7.0, 2.0, 10.0), HillShape(1, 20.0, 18.0, 2.0, 5.0)]
        first = await stages.build_terrain(hills, 30, None)
        assert first.heights.shape == (30, 30)
        assert np.unravel_index(first.heights.argmax(), (30, 30)) == (7, 5)
        assert first.heights.max() == pytest.approx(10, abs=1e-3)
        assert set(first.colors) == {0, 1} and first.colors[0] != first.colors[1]
        hills[1] = HillShape(1, 20.0, 18.0, 2.0, 0.0)
        lower = await stages.build_terrain(hills, 30, first.height_scale)
        assert lower.height_scale == first.height_scale
        assert lower.heights[18, 20] < 0.1 < first.heights[18, 20]

    async def test_no_hills_leave_the_ground_flat(self, stages: Stages):
        built = await stages.build_terrain([], 10, None)
        assert not built.heights.any() and built.colors == {}

    @pytest.mark.parametrize(
        ("hill", "grid_size", "reason"),
        [
            (HillShape(0, 1.0, 1.0, 1.0, 1.0), 1, "GRID_SIZE_INVALID"),
            (HillShape(0, 1.0, 1.0, 1.0, float("nan")), 10, "HILL_INVALID"),
        ],
    )
    async def test_a_terrain_that_cannot_be_is_refused(
        self, stages: Stages, hill: HillShape, grid_size: int, reason: str
    ):
        with pytest.raises(InvalidArgument) as caught:
            await stages.build_terrain([hill], grid_size, None)
        assert caught.value.reason == reason

    async def test_every_part_is_well(self, stages: Stages):
        health = await stages.health()
        assert set(health) == {"embedder", "cluster", "analyzer", "terrain"}
        assert all(part.ready for part in health.values()), health
