"""HDBSCAN on the neighbour graph: clusters of different density, without an eps.

The hierarchy comes from the spanning tree of the graph, so time is near-linear and memory linear.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cluster_svc.algorithms.condensed_tree import link, most_stable_labels
from cluster_svc.algorithms.density_tree import DensityTree
from cluster_svc.algorithms.noise import drop_unclustered
from cluster_svc.algorithms.specification import (
    MIN_CLUSTER_SIZE,
    MIN_SAMPLES,
    Algorithm,
    Parameters,
    Partition,
    Problem,
    resolve_min_cluster_size,
)
from cluster_svc.graph import NeighborGraph
from cluster_svc.vectors import FloatArray, IntArray

# No two vectors lie farther apart by cosine distance.
_FARTHEST = 2.0


def find_stable_clusters(graph: NeighborGraph, min_samples: int, min_cluster_size: int) -> IntArray:
    """Return the label of each node by excess of mass; int32 of shape (nodes,), -1 for noise."""
    if graph.node_count == 1:
        return np.zeros(1, np.int32)
    tree = DensityTree.grow(graph, min_samples)
    heads, tails, lengths = _connect(tree)
    linkage = link(heads, tails, lengths, graph.multiplicities)
    return most_stable_labels(linkage, min_cluster_size)


def _connect(tree: DensityTree) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the tree's edges, with edges of the farthest distance between its components."""
    nodes = tree.graph.node_count
    edges = coo_array(
        (np.ones(len(tree.heads), np.int8), (tree.heads, tree.tails)), shape=(nodes, nodes)
    )
    count, components = connected_components(edges, directed=False)
    first = np.unique(components, return_index=True)[1].astype(np.int32)
    bridges = np.full(count - 1, _FARTHEST, np.float32)
    return (
        np.concatenate([tree.heads, first[:-1]]),
        np.concatenate([tree.tails, first[1:]]),
        np.concatenate([np.minimum(tree.lengths, _FARTHEST), bridges]),
    )


def find(problem: Problem, parameters: Parameters) -> Partition:
    """Return the clusters that persist over the widest range of densities."""
    minimum = max(2, resolve_min_cluster_size(parameters, problem.graph.row_count))
    labels = find_stable_clusters(problem.graph, int(parameters["min_samples"] or 0), minimum)
    reason = (
        f"HDBSCAN: groups of at least {minimum} rows that stay together over the widest range of"
        " densities."
    )
    why = "they lie in no group that is dense for its surroundings"
    labels, noise = drop_unclustered(problem, labels, 1, why)
    in_effect = {**parameters, "min_cluster_size": minimum}
    return Partition(labels, "hdbscan", reason, in_effect, noise)


HDBSCAN = Algorithm(
    name="hdbscan",
    description=(
        "HDBSCAN on the nearest-neighbour graph: clusters of different density without an eps."
        " Choose it when only clear clusters matter; it leaves much of free text as noise."
    ),
    parameters=(MIN_SAMPLES, replace(MIN_CLUSTER_SIZE, minimum=2)),
    find=find,
)
