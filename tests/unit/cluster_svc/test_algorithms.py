import numpy as np
import pytest
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_rand_score

from cluster_svc.algorithms.hdbscan import find_stable_clusters
from cluster_svc.density import find_sparse_nodes
from cluster_svc.errors import ParameterInvalid, UnknownAlgorithm
from cluster_svc.graph import build_graph
from cluster_svc.registry import ALGORITHMS, choose_algorithm
from cluster_svc.vectors import normalize_rows


def loose_rows(count=900, dimensions=10):
    """Overlapping directions: what DBSCAN cannot part without losing most rows."""
    random = np.random.default_rng(5)
    centres = random.normal(size=(12, dimensions))
    truth = random.integers(0, 12, count)
    spread = random.choice([0.2, 0.5, 0.9], size=(count, 1))
    return (centres[truth] + spread * random.normal(size=(count, dimensions))).astype(np.float32)


def count_clusters(labels):
    return len(np.unique(labels[labels >= 0]))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_finds_clear_clusters(name, blobs, solve):
    vectors, truth = blobs
    parameters = {"cluster_count": 5} if name == "kmeans" else {}
    problem, partition = solve(vectors, name, parameters)
    labels = partition.labels[problem.graph.node_of_row]
    clustered = labels >= 0
    assert clustered.mean() > 0.9
    assert adjusted_rand_score(truth[clustered], labels[clustered]) == 1


@pytest.mark.parametrize("name", ALGORITHMS)
def test_noise_is_counted_in_rows_and_put_into_words(name, solve):
    vectors = np.concatenate([loose_rows(), loose_rows()[:300]])
    problem, partition = solve(vectors, name)
    counted = partition.noise.sparse_count + partition.noise.small_cluster_count
    assert counted == (partition.labels[problem.graph.node_of_row] < 0).sum()
    assert partition.noise.reason.endswith(".")
    assert (str(counted) in partition.noise.reason) == (counted > 0)


def test_auto_takes_dbscan_where_it_separates(blobs, solve):
    _, partition = solve(blobs[0])
    assert partition.algorithm == "dbscan"
    assert "eps" in partition.reason
    assert partition.parameters["eps"] > 0


def test_auto_takes_communities_where_dbscan_degenerates(solve):
    _, partition = solve(loose_rows())
    assert partition.algorithm == "communities"
    assert "DBSCAN" in partition.reason
    assert len(partition.eps_curve) > 10
    assert 5 < count_clusters(partition.labels) < 40


def test_auto_with_a_resolution_takes_the_communities_asked_for(blobs, solve):
    _, partition = solve(blobs[0], "auto", {"resolution": 0.05})
    assert partition.algorithm == "communities"
    assert partition.is_asked_for


def test_equal_seed_gives_an_equal_result_on_any_number_of_threads(solve):
    (_, first), (_, second) = (
        solve(loose_rows(), seed=9, thread_count=threads) for threads in (1, 2)
    )
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.parameters == second.parameters


def test_higher_resolution_gives_more_clusters(solve):
    counts = [
        count_clusters(
            solve(loose_rows(), "communities", {"resolution": r, "min_cluster_size": 1})[1].labels
        )
        for r in (0.1, 1.0, 6.0)
    ]
    assert counts == sorted(set(counts))


def test_small_clusters_without_ties_become_noise(blobs, solve):
    _, partition = solve(blobs[0], "communities", {"min_cluster_size": 55})
    assert partition.noise.small_cluster_count >= 85
    assert count_clusters(partition.labels) == 3


def test_small_clusters_with_ties_join_a_neighbour(solve):
    _, fine = solve(loose_rows(), "communities", {"resolution": 8.0, "min_cluster_size": 1})
    _, joined = solve(loose_rows(), "communities", {"resolution": 8.0, "min_cluster_size": 40})
    assert np.bincount(fine.labels[fine.labels >= 0]).min() < 40
    assert joined.noise.small_cluster_count < 40
    assert np.unique(joined.labels[joined.labels >= 0], return_counts=True)[1].min() >= 40


@pytest.mark.parametrize(("min_samples", "min_cluster_size"), [(3, 5), (5, 8), (1, 4)])
def test_hdbscan_agrees_with_scikit_learn_on_a_complete_graph(min_samples, min_cluster_size, blobs):
    vectors = loose_rows(200, 6)
    graph = build_graph(vectors, 1000)
    units = normalize_rows(vectors).astype(np.float64)
    distances = np.clip(1 - units @ units.T, 0, 2)
    np.fill_diagonal(distances, 0)
    model = HDBSCAN(
        min_cluster_size=min_cluster_size, min_samples=min_samples, metric="precomputed", copy=True
    )
    labels = find_stable_clusters(graph, min_samples, min_cluster_size)[graph.node_of_row]
    # Equal edge lengths may be merged in another order, so not each and every row.
    assert adjusted_rand_score(model.fit(distances).labels_, labels) > 0.9


def test_a_far_row_is_noise(blobs, solve):
    vectors = blobs[0].copy()
    vectors[:, -1] = 0
    vectors[0] = 0
    vectors[0, -1] = 1
    problem, partition = solve(vectors, "communities")
    assert partition.labels[problem.graph.node_of_row[0]] == -1
    assert partition.noise.sparse_count >= 1


def test_nothing_is_sparse_where_all_is_equally_dense():
    angles = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    ring = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    assert not find_sparse_nodes(build_graph(ring), 2.5).any()
    assert not find_sparse_nodes(build_graph(np.eye(50, dtype=np.float32)), 2.5).any()


def test_a_loose_cluster_beside_tight_ones_is_not_noise():
    random = np.random.default_rng(0)
    tight = np.repeat(np.eye(3, 16), 100, axis=0) + 0.01 * random.normal(size=(300, 16))
    loose = np.eye(16)[10] + 0.15 * random.normal(size=(100, 16))
    vectors = np.concatenate([tight, loose]).astype(np.float32)
    graph = build_graph(vectors)
    sparse = find_sparse_nodes(graph, 2.5)[graph.node_of_row]
    assert sparse[300:].mean() < 0.05


def test_unknown_algorithms_are_refused_with_the_known_ones():
    with pytest.raises(UnknownAlgorithm) as caught:
        choose_algorithm("ward", {})
    assert "hdbscan" in caught.value.metadata["known"]


@pytest.mark.parametrize(
    ("algorithm", "parameters", "name"),
    [
        ("dbscan", {"epsilon": 0.1}, "epsilon"),
        ("dbscan", {"min_samples": 0}, "min_samples"),
        ("dbscan", {"min_samples": 2.5}, "min_samples"),
        ("dbscan", {"min_samples": True}, "min_samples"),
        ("dbscan", {"auto_eps": 1}, "auto_eps"),
        ("communities", {"resolution": "1"}, "resolution"),
        ("communities", {"resolution": float("inf")}, "resolution"),
        ("kmeans", {"cluster_count": -3}, "cluster_count"),
    ],
)
def test_wrong_parameters_are_refused_by_name_and_range(algorithm, parameters, name):
    with pytest.raises(ParameterInvalid) as caught:
        choose_algorithm(algorithm, parameters)
    assert caught.value.metadata["parameter"] == name
    assert name in caught.value.message
    assert caught.value.metadata["allowed"]


def test_whole_numbers_are_taken_for_real_ones():
    assert choose_algorithm("communities", {"resolution": 2})[1]["resolution"] == 2.0


@pytest.mark.parametrize("algorithm", ALGORITHMS.values(), ids=ALGORITHMS)
def test_defaults_and_presets_are_within_their_ranges(algorithm):
    for spec in algorithm.parameters:
        if spec.default is not None:
            assert spec.check(algorithm.name, spec.default) == spec.default
    for preset in algorithm.presets:
        algorithm.complete(preset.parameters)
