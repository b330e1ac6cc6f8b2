import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cluster_svc.exemplars import (
    NEAR_DUPLICATE_DISTANCE,
    ExemplarKind,
    sample_all_clusters,
    sample_cluster,
    sample_layer,
)
from cluster_svc.graph import build_graph
from cluster_svc.membership import measure_memberships
from cluster_svc.statistics import calculate_cluster_stats
from cluster_svc.vectors import merge_identical_rows, normalize_rows
from level_rpc.errors import FieldInvalid

KINDS = list(ExemplarKind)

labelled_rows = st.integers(1, 40).flatmap(
    lambda rows: st.tuples(
        arrays(np.float32, (rows, 3), elements=st.integers(-2, 2).map(float)),
        arrays(np.int32, rows, elements=st.integers(-1, 2)),
    )
)


def distances_among(vectors):
    units = normalize_rows(vectors)
    return 1 - units @ units.T


def mean_gap(vectors, labels, exemplars):
    """How far the rows of all clusters lie from the nearest exemplar of their cluster."""
    units = normalize_rows(vectors)
    gaps = [
        (1 - units[labels == cluster] @ units[rows].T).min(axis=1)
        for cluster, rows in enumerate(exemplars)
    ]
    return np.concatenate(gaps).mean()


def without_gaps(labels):
    """Return the labels numbered from 0 in order; -1 stays."""
    known = np.unique(labels[labels >= 0])
    return np.where(labels < 0, -1, np.searchsorted(known, labels)).astype(np.int32)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(rows=labelled_rows, k=st.integers(1, 10))
def test_exemplars_are_different_rows_of_their_cluster(kind, rows, k):
    vectors, labels = rows[0], without_gaps(rows[1])
    nodes, _ = merge_identical_rows(vectors)
    for cluster, found in enumerate(sample_all_clusters(vectors, labels, k, kind=kind)):
        own = np.flatnonzero(labels == cluster)
        assert len(found) == len(set(found.tolist())) == min(k, len(own))
        assert (labels[found] == cluster).all()
        # A vector comes again only when all others have come.
        distinct = len(np.unique(nodes[own]))
        assert len(np.unique(nodes[found])) == min(distinct, len(found))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), spread=st.sampled_from([0.02, 0.1, 0.3]))
def test_near_duplicates_come_only_when_there_is_no_other_row(kind, seed, spread):
    random = np.random.default_rng(seed)
    vectors = (random.normal(size=8) + spread * random.normal(size=(30, 8))).astype(np.float32)
    [found] = sample_all_clusters(vectors, np.zeros(30, np.int32), 6, kind=kind)
    distances = distances_among(vectors)
    for place, row in enumerate(found.tolist()):
        earlier = found[:place]
        if distances[row, earlier].min(initial=2) <= NEAR_DUPLICATE_DISTANCE - 1e-6:
            nearest = distances[:, earlier].min(axis=1)
            assert nearest.max() <= NEAR_DUPLICATE_DISTANCE + 1e-6


def test_central_ones_are_nearest_to_the_centroid(blobs):
    vectors, truth = blobs
    labels = truth.astype(np.int32)
    stats = calculate_cluster_stats(vectors, labels)
    units = normalize_rows(vectors)
    distances = distances_among(vectors)
    for cluster, found in enumerate(sample_all_clusters(vectors, labels, 7)):
        rows = np.flatnonzero(labels == cluster)
        expected: list[int] = []
        for row in rows[np.argsort(1 - units[rows] @ stats.centroids[cluster], kind="stable")]:
            if distances[row, expected].min(initial=2) > NEAR_DUPLICATE_DISTANCE:
                expected.append(int(row))
        assert found.tolist() == expected[:7]


@pytest.mark.parametrize("kind", KINDS)
def test_the_most_central_row_comes_first(kind, blobs):
    vectors, truth = blobs
    labels = truth.astype(np.int32)
    stats = calculate_cluster_stats(vectors, labels)
    for cluster, found in enumerate(sample_all_clusters(vectors, labels, kind=kind)):
        similarities = normalize_rows(vectors) @ stats.centroids[cluster]
        assert found[0] == np.where(labels == cluster, similarities, -2).argmax()


def test_diverse_ones_lie_nearer_to_all_rows():
    random = np.random.default_rng(0)
    themes = random.normal(size=(4, 16))
    vectors = (themes[np.arange(1200) % 4] + 0.4 * random.normal(size=(1200, 16))).astype(
        np.float32
    )
    labels = np.zeros(1200, np.int32)
    central, diverse = (sample_all_clusters(vectors, labels, 4, kind=kind) for kind in KINDS)
    assert mean_gap(vectors, labels, diverse) < 0.7 * mean_gap(vectors, labels, central)
    assert set((diverse[0] % 4).tolist()) == {0, 1, 2, 3}


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_the_rows_does_not_matter(kind, blobs):
    vectors, truth = blobs
    order = np.random.default_rng(1).permutation(len(vectors))
    labels = truth.astype(np.int32)
    found = sample_all_clusters(vectors, labels, 6, kind=kind)
    shuffled = sample_all_clusters(vectors[order], labels[order], 6, kind=kind)
    for one, other in zip(found, shuffled, strict=True):
        assert one.tolist() == order[other].tolist()


@pytest.mark.parametrize("thread_count", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_of_nodes_gives_the_exemplars_of_the_rows(kind, thread_count, blobs):
    vectors = np.concatenate([blobs[0], blobs[0][::3]])
    labels = np.concatenate([blobs[1], blobs[1][::3]]).astype(np.int32)
    graph = build_graph(vectors)
    units = normalize_rows(vectors[graph.first_rows])
    of_nodes = labels[graph.first_rows]
    stats = calculate_cluster_stats(vectors, labels)
    [membership] = measure_memberships(units, [(of_nodes, stats.centroids)])
    found = sample_layer(
        units, graph, of_nodes, stats, membership, 6, kind, thread_count=thread_count
    )
    for one, other in zip(found, sample_all_clusters(vectors, labels, 6, kind=kind), strict=True):
        assert one.tolist() == other.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_vector_is_repeated_only_when_there_is_no_other(kind):
    vectors = np.array([[1, 0], [1, 0], [1, 0.1], [1, 0], [1, 0.9]], np.float32)
    labels = np.zeros(5, np.int32)
    assert sorted(sample_all_clusters(vectors, labels, 3, kind=kind)[0].tolist()) == [0, 2, 4]
    assert sample_all_clusters(vectors, labels, 5, kind=kind)[0].tolist()[3:] == [1, 3]


def test_one_cluster_alone_has_the_same_exemplars(blobs):
    vectors, truth = blobs
    labels = truth.astype(np.int32)
    stats = calculate_cluster_stats(vectors, labels)
    nodes, _ = merge_identical_rows(vectors)
    rows = np.flatnonzero(labels == 2)
    found = sample_cluster(normalize_rows(vectors), nodes, rows, stats.centroids[2], k=4)
    assert found.tolist() == sample_all_clusters(vectors, labels, k=4)[2].tolist()


@pytest.mark.parametrize("count", [0, 11])
def test_impossible_numbers_of_exemplars_are_refused(count):
    with pytest.raises(FieldInvalid):
        sample_all_clusters(np.eye(3, dtype=np.float32), np.zeros(3, np.int32), count)
