"""SelectRows as its protos describe it, to a client that knows nothing else."""

from types import SimpleNamespace

import grpc
import numpy as np
import pytest

from tests.contract.cluster_client import ROWS, VECTORS
from tests.contract.levelling_client import LevellingClient, all_in_one_slot
from tests.contract.stranger import Refusal, converse

INVALID = "INVALID_ARGUMENT"
BUDGET = 60


@pytest.fixture
def levelling(clusters):
    return LevellingClient(clusters)


@pytest.fixture(scope="module")
def graphs():
    return {}


@pytest.fixture
def graph(clusters, graphs):
    """The stored graph of all rows; a clustering gives it once."""
    if "whole" not in graphs:
        answer = clusters.cluster(algorithm="hdbscan")
        graphs["whole"], graphs["labels"] = answer.graph, answer.labels
    return graphs["whole"]


@pytest.fixture
def labels(graph, graphs):
    return graphs["labels"]


def strategy(levelling, name):
    return getattr(levelling.part, f"SELECTION_STRATEGY_{name}")


@pytest.mark.parametrize("name", ["UNSPECIFIED", "DIVERSE", "CENTRAL", "RANDOM"])
def test_as_many_rows_are_chosen_as_were_asked_for(levelling, graph, name):
    choice = all_in_one_slot(ROWS, BUDGET, strategy=strategy(levelling, name))
    answer = levelling.select_rows(VECTORS, graph, **choice)
    said = [kind for kind in answer.said if kind != "progress"]
    assert said == ["summary", "rows", "coverage"] and "progress" in answer.said
    assert answer.rows.dtype == np.int64 and len(answer.rows) == BUDGET
    assert (np.diff(answer.rows) > 0).all() and 0 <= answer.rows[0] <= answer.rows[-1] < ROWS
    assert answer.coverage.dtype == np.float64 and answer.coverage.shape == (1,)
    distances = 1 - VECTORS.astype("f8") @ VECTORS[answer.rows].T
    near = distances.min(axis=1) <= answer.distance + 1e-6
    assert 0 <= answer.distance <= 2
    assert answer.coverage[0] == pytest.approx(near.mean(), abs=0.02)


@pytest.mark.parametrize("name", ["DIVERSE", "CENTRAL", "RANDOM"])
def test_each_slot_gets_its_count(levelling, graph, labels, name):
    sizes = np.bincount(labels[labels >= 0])
    counts = np.minimum(sizes, 15).astype("<i8")
    choice = all_in_one_slot(
        ROWS,
        int(counts.sum()),
        labels=labels,
        counts=counts,
        slot_count=len(counts),
        strategy=strategy(levelling, name),
    )
    answer = levelling.select_rows(VECTORS, graph, **choice)
    assert np.array_equal(np.bincount(labels[answer.rows], minlength=len(counts)), counts)
    assert answer.coverage.shape == counts.shape
    assert 0 <= answer.coverage.min() and answer.coverage.max() <= 1
    assert answer.coverage[counts == sizes] == pytest.approx(1)


def test_only_candidates_are_chosen(levelling, graph):
    candidates = (np.arange(ROWS) % 3 == 0).astype("u1")
    choice = all_in_one_slot(ROWS, BUDGET, candidates=candidates, keepers=candidates)
    assert candidates[levelling.select_rows(VECTORS, graph, **choice).rows].all()


def test_near_duplicates_come_last(levelling, graph):
    groups = levelling.find_near_duplicates(graph, 0.0).groups
    keepers = (groups == np.arange(ROWS)).astype("u1")
    budget = int(keepers.sum())
    assert budget < ROWS
    choice = all_in_one_slot(ROWS, budget, near_duplicate_groups=groups, keepers=keepers)
    rows = levelling.select_rows(VECTORS, graph, **choice).rows
    assert np.array_equal(rows, np.flatnonzero(keepers))


def test_the_same_request_gives_the_same_rows(levelling, graph):
    choice = all_in_one_slot(
        ROWS, BUDGET, strategy=strategy(levelling, "RANDOM"), random_seed=2**62
    )
    once, again = (levelling.select_rows(VECTORS, graph, **choice).rows for _ in range(2))
    assert np.array_equal(once, again)
    other = levelling.select_rows(VECTORS, graph, **(choice | {"random_seed": 3})).rows
    assert not np.array_equal(once, other)


@pytest.mark.parametrize("budget", [0, ROWS])
def test_none_or_all_may_be_asked_for(levelling, graph, budget):
    answer = levelling.select_rows(VECTORS, graph, **all_in_one_slot(ROWS, budget))
    assert len(answer.rows) == budget
    assert answer.coverage.tolist() == [1.0 if budget else 0.0]


def with_nan():
    vectors = VECTORS.copy()
    vectors[17, 3] = np.nan
    return vectors


FEW = (np.arange(ROWS) < BUDGET - 1).astype("u1")
ABUSES = {
    "an unknown strategy": ({"strategy": 77}, "FIELD_INVALID"),
    "a negative budget": ({"budget": -1}, "FIELD_INVALID"),
    "a budget above all rows": ({"budget": ROWS + 1}, "FIELD_INVALID"),
    "a budget above all candidates": ({"candidates": FEW, "keepers": FEW}, "FIELD_INVALID"),
    "a negative seed": ({"random_seed": -1}, "FIELD_INVALID"),
    "no slots": ({"slot_count": 0}, "FIELD_INVALID"),
    "labels that are no slots": ({"labels": np.ones(ROWS, "<i4")}, "FIELD_INVALID"),
    "too few labels": ({"labels": np.zeros(ROWS - 1, "<i4")}, "TENSOR_ROWS_MISMATCH"),
    "counts of other slots": ({"counts": np.array([30, 30], "<i8")}, "TENSOR_ROWS_MISMATCH"),
    "counts that add up to something else": ({"counts": np.array([59], "<i8")}, "FIELD_INVALID"),
    "counts above the slots' rows": (
        {
            "labels": (np.arange(ROWS) >= 10).astype("<i4"),
            "slot_count": 2,
            "counts": np.array([11, BUDGET - 11], "<i8"),
        },
        "FIELD_INVALID",
    ),
    "negative counts": (
        {"slot_count": 2, "counts": np.array([BUDGET + 1, -1], "<i8")},
        "FIELD_INVALID",
    ),
    "groups that are none": (
        {"near_duplicate_groups": np.full(ROWS, ROWS, "<i4")},
        "FIELD_INVALID",
    ),
    "keepers that are no candidates": ({"keepers": FEW, "candidates": 1 - FEW}, "FIELD_INVALID"),
    "a graph of other rows": ({"row_count": ROWS - 1}, "FIELD_INVALID"),
    "other dimensions": ({"dimension_count": 3}, "TENSOR_TYPE_MISMATCH"),
}


@pytest.mark.parametrize("abuse", ABUSES)
def test_abuse_is_refused_and_leaves_the_service_serving(abuse, levelling, graph):
    changes, reason = ABUSES[abuse]
    with pytest.raises(Refusal) as caught:
        levelling.select_rows(VECTORS, graph, **(all_in_one_slot(ROWS, BUDGET) | changes))
    assert (caught.value.code, caught.value.reason) == (INVALID, reason), caught.value
    choice = all_in_one_slot(ROWS, BUDGET)
    assert len(levelling.select_rows(VECTORS, graph, **choice).rows) == BUDGET


def test_vectors_that_are_no_numbers_are_refused(levelling, graph):
    with pytest.raises(Refusal) as caught:
        levelling.select_rows(with_nan(), graph, **all_in_one_slot(ROWS, BUDGET))
    assert (caught.value.code, caught.value.reason) == (INVALID, "TENSOR_NOT_FINITE")
    assert caught.value.metadata["row_index"] == "17"


def test_a_call_without_its_vectors_is_refused(levelling, graph):
    requests = levelling.selection_requests(VECTORS, graph, **all_in_one_slot(ROWS, BUDGET))
    with pytest.raises(Refusal) as caught:
        converse(levelling.service.SelectRows, list(requests)[:-1])
    assert (caught.value.code, caught.value.reason) == (INVALID, "TENSOR_ROWS_MISMATCH")


def test_cancelling_frees_the_service(clusters, levelling, graph):
    """Seconds of work are cancelled; another call then computes at once."""
    rows = 20_000
    vectors = np.random.default_rng(0).normal(size=(rows, 64)).astype("<f4")
    wide = ring(rows)
    choice = all_in_one_slot(rows, rows // 2)
    call = levelling.service.SelectRows(levelling.selection_requests(vectors, wide, **choice))
    choosing = levelling.part.Progress.STAGE_SELECTION
    assert any(answer.progress.stage == choosing for answer in call)
    call.cancel()
    with pytest.raises(grpc.RpcError):
        list(call)
    choice = all_in_one_slot(ROWS, BUDGET)
    assert len(levelling.select_rows(VECTORS, graph, **choice).rows) == BUDGET


def ring(nodes):
    """Return a graph that says nothing of vectors."""
    beside = np.arange(nodes)[:, None] + np.array([1, -1])
    return SimpleNamespace(
        row_nodes=np.arange(nodes, dtype="<i4"),
        indices=(beside % nodes).astype("<i4"),
        distances=np.full((nodes, 2), 0.5, "<f4"),
    )
