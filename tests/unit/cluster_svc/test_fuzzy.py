import numpy as np

from cluster_svc.fuzzy import fuzzy_graph, membership_weights
from cluster_svc.graph import build_graph


def test_graph_is_symmetric_with_weights_up_to_one():
    vectors = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)
    weights = fuzzy_graph(build_graph(vectors))
    assert abs(weights - weights.T).max() < 1e-6
    assert 0 < weights.data.min() <= weights.data.max() <= 1 + 1e-6
    assert weights.diagonal().sum() == 0


def test_weights_equal_those_of_umap_learn():
    from umap.umap_ import compute_membership_strengths, smooth_knn_dist

    vectors = np.random.default_rng(1).normal(size=(150, 8)).astype(np.float32)
    graph = build_graph(vectors)
    # umap-learn counts the point itself as its first neighbour.
    indices = np.column_stack([np.arange(150, dtype=np.int32), graph.indices])
    distances = np.column_stack([np.zeros(150, np.float32), graph.distances])
    sigmas, rhos = smooth_knn_dist(distances, 15.0)
    expected = compute_membership_strengths(indices, distances, sigmas, rhos)[2].reshape(150, 16)
    np.testing.assert_allclose(membership_weights(graph.distances), expected[:, 1:], atol=1e-3)


def test_equal_distances_get_equal_weights():
    weights = membership_weights(np.full((5, 4), 0.3, np.float32))
    np.testing.assert_allclose(weights, 1)


def test_one_node_has_an_empty_graph():
    assert fuzzy_graph(build_graph(np.ones((5, 3), np.float32))).nnz == 0
