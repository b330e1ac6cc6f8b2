import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score

from cluster_svc.algorithms import radius
from cluster_svc.algorithms.density_tree import DensityTree
from cluster_svc.algorithms.eps import estimate_optimal_eps, scan_eps
from cluster_svc.algorithms.exact_dbscan import dbscan_rows, exact_dbscan, graph_dbscan
from cluster_svc.clusters import cluster_embeddings
from cluster_svc.errors import ParameterInvalid
from cluster_svc.graph import build_graph
from cluster_svc.vectors import normalize_rows, row_blocks


def random_rows(seed, count=250, dimensions=4, copies=30):
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(count, dimensions))
    repeated = np.concatenate([vectors, vectors[random.integers(0, count, copies)]])
    return random.permutation(repeated).astype(np.float32)


def scikit_learn_labels(vectors, eps, min_samples):
    return DBSCAN(eps=eps, min_samples=min_samples, metric="cosine").fit(vectors).labels_


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("eps", "min_samples"), [(0.02, 3), (0.05, 5), (0.12, 8), (0.5, 5)])
def test_labels_equal_scikit_learn(seed, eps, min_samples):
    vectors = random_rows(seed)
    expected = scikit_learn_labels(vectors, eps, min_samples)
    np.testing.assert_array_equal(dbscan_rows(vectors, eps, min_samples), expected)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 1000),
    st.sampled_from([2, 5, 15, 400]),
    st.floats(0.002, 0.9),
    st.sampled_from([1, 3, 5, 20]),
)
def test_the_graph_gives_the_labels_of_all_pairs(seed, neighbor_count, eps, min_samples):
    vectors = random_rows(seed, 120)
    graph = build_graph(vectors, neighbor_count)
    units = normalize_rows(vectors[graph.first_rows])
    expected = exact_dbscan(units, graph.multiplicities, eps, min_samples)
    np.testing.assert_array_equal(graph_dbscan(units, graph, eps, min_samples), expected)


def test_labels_do_not_depend_on_the_size_of_blocks(monkeypatch):
    vectors = random_rows(7)
    whole = cluster_embeddings(vectors, 0.05, 5)
    monkeypatch.setattr(
        radius,
        "row_blocks",
        lambda rows, _: [s for i in range(0, rows, 7) for s in [slice(i, i + 7)]],
    )
    np.testing.assert_array_equal(cluster_embeddings(vectors, 0.05, 5), whole)


def test_ids_go_by_size_then_first_row():
    vectors = np.repeat(np.eye(4, dtype=np.float32), [6, 9, 6, 2], axis=0)
    labels = cluster_embeddings(vectors)
    assert labels.tolist() == [1] * 6 + [0] * 9 + [2] * 6 + [-1] * 2


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.permutations(range(120)))
def test_permuted_rows_get_permuted_clusters(seed, order):
    vectors = random_rows(seed, 100, 3, 20)
    eps, min_samples = 0.0317, 4
    labels = cluster_embeddings(vectors, eps, min_samples)
    moved = cluster_embeddings(vectors[order], eps, min_samples)
    np.testing.assert_array_equal(moved < 0, labels[order] < 0)
    # A border point between two clusters goes to the first; core points do not depend on order.
    units = normalize_rows(vectors)
    core = ((1 - units @ units.T) <= eps).sum(axis=1) >= min_samples
    assert adjusted_rand_score(moved[core[order]], labels[order][core[order]]) == 1


def test_tree_cuts_equal_exact_dbscan_where_the_graph_is_complete():
    vectors = random_rows(3, 120, 4, 20)
    graph = build_graph(vectors, 1000)
    tree = DensityTree.grow(graph, 5)
    for eps in np.quantile(tree.core, [0.1, 0.4, 0.7, 0.95]):
        units = normalize_rows(vectors[graph.first_rows])
        expected = exact_dbscan(units, graph.multiplicities, float(eps) + 1e-6, 5)
        np.testing.assert_array_equal(tree.cut(float(eps) + 1e-6), expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([1, 3, 5, 8]))
def test_the_curve_is_what_cuts_of_the_tree_give(seed, min_samples):
    graph = build_graph(random_rows(seed, 100, 3, 20))
    scan = scan_eps(graph, min_samples)
    for point in scan.curve[::7]:
        rows = scan.tree.cut(point.eps)[graph.node_of_row]
        assert point.cluster_count == len(np.unique(rows[rows >= 0]))
        assert point.noise_fraction == pytest.approx((rows < 0).mean(), abs=1e-9)
        # A border point between two clusters may count for either.
        largest = np.bincount(rows[rows >= 0]).max(initial=0) / len(rows)
        assert point.largest_fraction == pytest.approx(largest, abs=0.1)


def test_automatic_eps_separates_blobs(blobs):
    vectors, truth = blobs
    graph = build_graph(vectors)
    estimate = estimate_optimal_eps(graph)
    assert adjusted_rand_score(truth, estimate.labels[graph.node_of_row]) == 1
    assert next(one for one in estimate.curve if one.eps == estimate.eps).cluster_count == 5
    eps = [point.eps for point in estimate.curve]
    assert eps == sorted(eps)
    assert all(0 <= point.noise_fraction <= 1 for point in estimate.curve)


def test_given_eps_is_kept_and_the_curve_stays_empty(blobs, solve):
    _, partition = solve(blobs[0], "dbscan", {"eps": 0.2})
    assert partition.parameters["eps"] == 0.2
    assert partition.eps_curve == ()
    assert partition.is_asked_for


def test_default_eps_is_taken_when_automatic_eps_is_off(blobs, solve):
    _, partition = solve(blobs[0], "dbscan", {"auto_eps": False}, default_eps=0.25)
    assert partition.parameters["eps"] == 0.25


@pytest.mark.parametrize("eps", [0.0, -1.0, 2.5, float("nan")])
def test_impossible_eps_is_refused(eps):
    with pytest.raises(ParameterInvalid):
        cluster_embeddings(np.eye(3, dtype=np.float32), eps)


def test_blocks_cover_all_rows():
    for columns in (1, 1000, 50_000_000):
        rows = np.concatenate([np.arange(1000)[block] for block in row_blocks(1000, columns)])
        np.testing.assert_array_equal(rows, np.arange(1000))


def test_automatic_eps_finds_clear_groups_of_unequal_sizes(solve):
    random = np.random.default_rng(0)
    sizes = (150, 80, 50, 20)
    centers = random.normal(size=(len(sizes), 32))
    groups = np.repeat(np.arange(len(sizes)), sizes)
    vectors = (centers[groups] + 0.15 * random.normal(size=(300, 32))).astype(np.float32)
    for name in ("auto", "dbscan"):
        problem, found = solve(vectors, name)
        labels = found.labels[problem.graph.node_of_row]
        clustered = labels >= 0
        assert found.algorithm == "dbscan"
        assert clustered.mean() > 0.9
        assert adjusted_rand_score(groups[clustered], labels[clustered]) == 1
