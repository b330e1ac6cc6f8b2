"""FindNearDuplicates as its protos describe it, to a client that knows nothing else."""

from types import SimpleNamespace

import numpy as np
import pytest

from tests.contract.cluster_client import ROWS, VECTORS
from tests.contract.levelling_client import LevellingClient
from tests.contract.stranger import Refusal, converse

INVALID = "INVALID_ARGUMENT"


@pytest.fixture
def levelling(clusters):
    return LevellingClient(clusters)


@pytest.fixture(scope="module")
def graph():
    """All rows in a ring of nodes 0.1 apart, two rows a node."""
    nodes = ROWS // 2
    ring = np.arange(nodes)[:, None] + np.array([1, -1])
    return SimpleNamespace(
        row_nodes=(np.arange(ROWS) // 2).astype("<i4"),
        indices=(ring % nodes).astype("<i4"),
        distances=np.full((nodes, 2), 0.1, "<f4"),
    )


def test_groups_are_of_rows_near_their_central_row(clusters, levelling):
    graph = clusters.cluster().graph
    answer = levelling.find_near_duplicates(graph, 0.02)
    groups = answer.groups
    assert "progress" in answer.said and answer.said[-1] == "groups"
    assert groups.dtype == np.int32 and groups.shape == (ROWS,)
    assert np.array_equal(groups[groups], groups)
    distances = 1 - (VECTORS.astype("f8") * VECTORS[groups]).sum(axis=1)
    assert distances.max() <= 0.02 + 1e-6
    assert 10 < len(np.unique(groups)) < ROWS - 10


def test_rows_of_equal_vectors_are_near_duplicates_at_any_distance(clusters, levelling):
    graph = clusters.cluster().graph
    groups = levelling.find_near_duplicates(graph, 0.0).groups
    _, of_row = np.unique(VECTORS, axis=0, return_inverse=True)
    first = {number: groups[np.flatnonzero(of_row == number)[0]] for number in set(of_row)}
    assert [first[number] for number in of_row] == groups.tolist()
    assert len(set(groups.tolist())) == len(first)


def test_rows_of_one_text_are_near_duplicates_at_any_distance(levelling, graph):
    keys = np.arange(ROWS) % 100 * -(2**40)
    groups = levelling.find_near_duplicates(graph, 0.0, keys.astype("<i8")).groups
    for key in range(0, 100, 9):
        assert len(set(groups[key::100].tolist())) == 1


def test_the_same_request_gives_the_same_groups(levelling, graph):
    once, again = (levelling.find_near_duplicates(graph, 0.15).groups for _ in range(2))
    assert np.array_equal(once, again)


def altered(graph, **changes):
    return SimpleNamespace(**(vars(graph) | changes))


ABUSES = {
    "a negative distance": (lambda one: (one, -0.1), "FIELD_INVALID"),
    "a distance beyond all": (lambda one: (one, 2.5), "FIELD_INVALID"),
    "a distance that is no number": (lambda one: (one, float("nan")), "FIELD_INVALID"),
    "distances that are no numbers": (
        lambda one: (altered(one, distances=one.distances * np.float32("nan")), 0.1),
        "TENSOR_NOT_FINITE",
    ),
    "neighbours that are none": (
        lambda one: (altered(one, indices=one.indices + 1000), 0.1),
        "FIELD_INVALID",
    ),
    "nodes that are none": (
        lambda one: (altered(one, row_nodes=one.row_nodes - 1), 0.1),
        "FIELD_INVALID",
    ),
    "too few text keys": (
        lambda one: (one, 0.1, np.zeros(ROWS - 1, "<i8")),
        "TENSOR_ROWS_MISMATCH",
    ),
    "text keys of another type": (
        lambda one: (one, 0.1, np.zeros(ROWS, "<i4")),
        "TENSOR_TYPE_MISMATCH",
    ),
}


@pytest.mark.parametrize("abuse", ABUSES)
def test_abuse_is_refused_and_leaves_the_service_serving(abuse, levelling, graph):
    make, reason = ABUSES[abuse]
    with pytest.raises(Refusal) as caught:
        levelling.find_near_duplicates(*make(graph))
    assert (caught.value.code, caught.value.reason) == (INVALID, reason), caught.value
    assert len(levelling.find_near_duplicates(graph, 0.15).groups) == ROWS


def test_text_keys_that_were_not_announced_are_refused(levelling, graph):
    keys = np.zeros(ROWS, "<i8")
    config, *rest = levelling.near_duplicates_requests(graph, 0.1, keys)
    config.config.has_text_keys = False
    with pytest.raises(Refusal) as caught:
        converse(levelling.service.FindNearDuplicates, [config, *rest])
    assert (caught.value.code, caught.value.reason) == (INVALID, "FIELD_INVALID")


def test_a_call_that_ends_early_is_refused(levelling, graph):
    requests = list(levelling.near_duplicates_requests(graph, 0.1))
    with pytest.raises(Refusal) as caught:
        converse(levelling.service.FindNearDuplicates, requests[:-1])
    assert (caught.value.code, caught.value.reason) == (INVALID, "TENSOR_ROWS_MISMATCH")
