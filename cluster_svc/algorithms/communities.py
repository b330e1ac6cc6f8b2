"""Communities of the fuzzy neighbour graph, by the Louvain method.

Source: V. Blondel, J.-L. Guillaume, R. Lambiotte, E. Lefebvre, "Fast unfolding of communities in
large networks", 2008; through scikit-network.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from cluster_svc.algorithms.specification import (
    MIN_CLUSTER_SIZE,
    NOISE_THRESHOLD,
    RESOLUTION,
    Algorithm,
    Parameters,
    Partition,
    Preset,
    Problem,
    drop_small_clusters,
    drop_sparse_nodes,
    resolve_min_cluster_size,
)
from cluster_svc.fuzzy import fuzzy_graph
from cluster_svc.graph import NeighborGraph
from cluster_svc.vectors import IntArray


def find_communities(graph: NeighborGraph, resolution: float, seed: int) -> IntArray:
    """Return the community of each node; int32 of shape (nodes,), from 0."""
    from sknetwork.clustering import Louvain

    adjacency = fuzzy_graph(graph)
    if adjacency.nnz == 0:
        return np.zeros(graph.node_count, np.int32)
    # Nodes are visited in their own order: shuffling costs a copy and gains nothing measurable.
    louvain = Louvain(resolution=resolution, random_state=seed, shuffle_nodes=False)
    labels: IntArray = louvain.fit_predict(csr_matrix(adjacency)).astype(np.int32)
    return labels


def find(problem: Problem, parameters: Parameters) -> Partition:
    """Return the communities, rows in sparse regions and small communities as noise."""
    graph = problem.graph
    resolution = float(parameters["resolution"] or 0)
    minimum = resolve_min_cluster_size(parameters, graph.row_count)
    labels = find_communities(graph, resolution, problem.seed)
    labels = drop_sparse_nodes(labels, graph, float(parameters["noise_threshold"] or 0))
    labels = drop_small_clusters(labels, graph, minimum)
    reason = (
        "Communities of the neighbour graph: groups of rows that have more near neighbours among"
        " themselves than chance would give."
    )
    in_effect = {**parameters, "min_cluster_size": minimum}
    return Partition(labels, "communities", reason, in_effect)


COMMUNITIES = Algorithm(
    name="communities",
    description=(
        "Louvain communities of the fuzzy nearest-neighbour graph: finds the number of clusters by"
        " itself, copes with clusters of different density, and leaves few rows as noise. Choose it"
        " for free text."
    ),
    parameters=(RESOLUTION, MIN_CLUSTER_SIZE, NOISE_THRESHOLD),
    find=find,
    presets=(
        Preset("coarse", "Fewer, larger clusters.", {"resolution": 0.4}),
        Preset("fine", "More, smaller clusters.", {"resolution": 2.5}),
    ),
)
