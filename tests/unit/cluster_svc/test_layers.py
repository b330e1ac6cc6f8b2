import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_mutual_info_score

from cluster_svc.communities.aggregate import aggregate, join_small_clusters, renumber
from cluster_svc.communities.agreement import adjusted_mutual_information
from cluster_svc.communities.layers import build_layers, find_layers_again
from cluster_svc.communities.resolution import HillRange, choose_resolution
from cluster_svc.fuzzy import fuzzy_graph
from cluster_svc.graph import build_graph
from cluster_svc.registry import ALGORITHMS


def nested_rows(seed=0, broad=12, narrow=4, rows=40, dimensions=24):
    """Broad topics of narrow ones: every row near its narrow centre, those near a broad one."""
    random = np.random.default_rng(seed)
    tops = random.normal(size=(broad, dimensions))
    centres = (tops[:, None] + 0.5 * random.normal(size=(broad, narrow, dimensions))).reshape(
        -1, dimensions
    )
    vectors = np.repeat(centres, rows, axis=0)
    return (vectors + 0.25 * random.normal(size=vectors.shape)).astype(np.float32)


def check_layers(layers, labels):
    for layer in layers.labels:
        assert layer.dtype == np.int32
        np.testing.assert_array_equal(layer < 0, labels < 0)
        np.testing.assert_array_equal(np.unique(layer[layer >= 0]), np.arange(layer.max() + 1))
    for index, (fine, coarse) in enumerate(zip(layers.labels, layers.labels[1:], strict=False)):
        assert fine.max() > coarse.max()
        clustered = fine >= 0
        np.testing.assert_array_equal(layers.parents(index)[fine[clustered]], coarse[clustered])
    assert (layers.parents(len(layers.labels) - 1) == -1).all()
    assert 0 <= layers.terrain_index < len(layers.labels)
    assert layers.reason.endswith(".")


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 1000),
    st.integers(3, 300),
    st.integers(1, 60),
    st.floats(0, 1),
    st.booleans(),
)
def test_any_partition_gets_nested_layers_with_the_same_noise(
    seed, rows, clusters, noise, is_asked_for
):
    random = np.random.default_rng(seed)
    graph = build_graph(random.normal(size=(rows, 5)).astype(np.float32))
    labels = random.integers(0, clusters, rows).astype(np.int32)
    labels[random.random(rows) < noise] = -1
    weights = fuzzy_graph(graph)
    units = random.normal(size=(graph.node_count, 5)).astype(np.float32)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    layers = build_layers(weights, labels, graph.multiplicities, units, is_asked_for=is_asked_for)
    check_layers(layers, labels)
    if is_asked_for:
        np.testing.assert_array_equal(layers.terrain, renumber(labels))
    again = find_layers_again(weights, layers, units, random.random(rows) < 0.9, seed)
    assert len(again) == len(layers.labels)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_gets_layers_around_its_clusters(name, solve):
    problem, partition = solve(nested_rows(), name)
    layers = build_layers(
        problem.weights,
        partition.labels,
        problem.graph.multiplicities,
        problem.units,
        is_asked_for=partition.is_asked_for,
    )
    check_layers(layers, partition.labels)
    hills = HillRange.of(problem.graph.row_count)
    assert 3 <= len(layers.labels) <= 6
    assert layers.terrain.max() < hills.most
    assert layers.labels[0].max() >= 60
    assert layers.labels[-1].max() < 20


def test_more_clusters_than_a_person_can_take_in_are_joined_for_the_terrain(solve):
    problem, _ = solve(nested_rows(), "kmeans")
    labels = np.arange(problem.graph.node_count, dtype=np.int32) // 5
    layers = build_layers(problem.weights, labels, problem.graph.multiplicities, problem.units)
    assert layers.terrain.max() + 1 <= HillRange.of(1920).most
    assert any(np.array_equal(layer, labels) for layer in layers.labels)
    assert "384 clusters found" in layers.reason


def test_a_finer_layer_is_promised_only_where_there_is_one():
    vectors = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    graph = build_graph(vectors)
    labels = (np.arange(60) % 45).astype(np.int32)
    layers = build_layers(fuzzy_graph(graph), labels, graph.multiplicities, vectors)
    assert layers.terrain_index == 0
    assert "are joined." in layers.reason


def test_degenerate_data_have_one_layer():
    for labels in ([-1, -1, -1], [0, 0, 0], [0, -1, -1]):
        graph = build_graph(np.eye(3, dtype=np.float32))
        layers = build_layers(
            fuzzy_graph(graph),
            np.array(labels, np.int32),
            graph.multiplicities,
            np.eye(3, dtype=np.float32),
        )
        assert len(layers.labels) == 1
        assert layers.terrain.tolist() == labels


def test_a_few_clear_clusters_stay_a_few(blobs):
    graph = build_graph(blobs[0])
    chosen = choose_resolution(fuzzy_graph(graph), graph.row_count)
    assert chosen.agreement > 0.95


def test_the_resolution_does_not_depend_on_threads():
    weights = fuzzy_graph(build_graph(nested_rows()))
    assert choose_resolution(weights, 1920, thread_count=1) == choose_resolution(
        weights, 1920, thread_count=3
    )


def test_the_number_of_hills_grows_slowly():
    ranges = [HillRange.of(10**power) for power in range(1, 8)]
    assert all(2 <= hills.fewest <= 8 and hills.fewest <= hills.most for hills in ranges)
    assert ranges[0].most <= 30
    assert [hills.most for hills in ranges] == sorted(hills.most for hills in ranges)
    assert HillRange.of(1_000_000).most <= 300


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(4, 400), st.integers(2, 60), st.integers(2, 60))
def test_agreement_is_the_adjusted_mutual_information(seed, count, rows, columns):
    random = np.random.default_rng(seed)
    first = random.integers(0, rows, count).astype(np.int32)
    second = np.where(
        random.random(count) < 0.5, first % columns, random.integers(0, columns, count)
    )
    second = second.astype(np.int32)
    if not 1 < max(len(np.unique(first)), len(np.unique(second))) < count:
        return
    if min(len(np.unique(first)), len(np.unique(second))) < 2:
        assert adjusted_mutual_information(first, second) == 0
        return
    expected = adjusted_mutual_info_score(first, second)
    assert adjusted_mutual_information(first, second) == pytest.approx(expected, abs=1e-6)
    absent = np.concatenate([second, np.full(5, -1, np.int32)])
    assert adjusted_mutual_information(np.append(first, [0] * 5), absent) == pytest.approx(
        expected, abs=1e-6
    )


def test_weights_between_clusters_are_sums():
    weights = fuzzy_graph(build_graph(nested_rows()[:400]))
    labels = (np.arange(400) % 7 - 1).astype(np.int32)
    graph, sizes = aggregate(weights, labels)
    dense = weights.toarray()
    for a in range(6):
        assert sizes[a] == pytest.approx(dense[labels == a].sum(), rel=1e-4)
        for b in range(6):
            expected = 0 if a == b else dense[labels == a][:, labels == b].sum()
            assert graph[a, b] == pytest.approx(expected, rel=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 40))
def test_small_clusters_join_within_their_group_or_stay(seed, minimum):
    random = np.random.default_rng(seed)
    graph = build_graph(random.normal(size=(150, 4)).astype(np.float32))
    weights = fuzzy_graph(graph)
    labels = renumber(random.integers(0, 50, 150).astype(np.int32))
    groups = (labels % 3).astype(np.int32)
    joined = join_small_clusters(weights, labels, graph.multiplicities, minimum, groups=groups)
    for label in range(joined.max() + 1):
        assert len(np.unique(groups[joined == label])) == 1
    for label in range(labels.max() + 1):
        assert len(np.unique(joined[labels == label])) == 1
    free = join_small_clusters(weights, labels, graph.multiplicities, minimum)
    assert np.bincount(free).min() >= min(minimum, 150)
