"""The condensed cluster tree of HDBSCAN and its most stable flat clusters.

Source: R. Campello, D. Moulavi, A. Zimek, J. Sander, "Hierarchical density estimates for data
clustering, visualization, and outlier detection", TKDD 2015; leaves have weights here, so that
identical rows need no edges of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster_svc.vectors import FloatArray, IntArray

# Rows nearer than this are copies; without a floor their density would outweigh all else.
_SMALLEST_DISTANCE = 1e-3


@dataclass(frozen=True)
class Linkage:
    """A single-linkage tree over ``leaves`` leaves; merge i makes the node ``leaves + i``.

    Attributes
    ----------
    children : int array of shape (leaves - 1, 2)
        The two nodes of each merge.
    densities : float64 array of shape (leaves - 1,)
        One over the distance of each merge, falling.
    weights : int64 array of shape (2 * leaves - 1,)
        Rows under each node.
    """

    children: NDArray[np.int64]
    densities: NDArray[np.float64]
    weights: NDArray[np.int64]


def link(
    heads: IntArray, tails: IntArray, lengths: FloatArray, leaf_weights: NDArray[np.int64]
) -> Linkage:
    """Return the single-linkage tree of a spanning tree's edges."""
    leaves = len(leaf_weights)
    parent = list(range(2 * leaves - 1))
    weights = np.concatenate([leaf_weights, np.zeros(leaves - 1, np.int64)])
    children = np.empty((leaves - 1, 2), np.int64)

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    order = np.argsort(lengths, kind="stable")
    for merge, edge in enumerate(order):
        pair = root(int(heads[edge])), root(int(tails[edge]))
        children[merge] = pair
        parent[pair[0]] = parent[pair[1]] = leaves + merge
        weights[leaves + merge] = weights[pair[0]] + weights[pair[1]]
    densities = 1 / np.maximum(lengths[order].astype(np.float64), _SMALLEST_DISTANCE)
    return Linkage(children, densities, weights)


def most_stable_labels(linkage: Linkage, min_cluster_size: int) -> IntArray:
    """Return the label of each leaf in the flat clustering of most excess of mass, -1 for noise.

    The root is never a cluster: without any split of two large parts, all is noise.
    """
    clusters, cluster_of_node = _condense(linkage, min_cluster_size)
    selected = _select(clusters)
    leaves = len(linkage.children) + 1
    return np.array([selected[cluster_of_node[leaf]] for leaf in range(leaves)], np.int32)


@dataclass
class _Cluster:
    """A branch of the condensed tree."""

    parent: int
    birth: float
    stability: float = 0.0


def _condense(linkage: Linkage, min_cluster_size: int) -> tuple[list[_Cluster], NDArray[np.int64]]:
    """Return the branches, parents first, and the branch that each node falls out of last."""
    leaves = len(linkage.children) + 1
    weights = linkage.weights.tolist()
    clusters = [_Cluster(parent=-1, birth=0.0)]
    cluster_of_node = np.zeros(len(weights), np.int64)
    for node in range(len(weights) - 1, leaves - 1, -1):
        current = int(cluster_of_node[node])
        density = float(linkage.densities[node - leaves])
        pair = linkage.children[node - leaves].tolist()
        is_split = min(weights[pair[0]], weights[pair[1]]) >= min_cluster_size
        for child in pair:
            leaves_here = is_split or weights[child] < min_cluster_size
            if leaves_here and weights[node] >= min_cluster_size:
                gained = density - clusters[current].birth
                clusters[current].stability += gained * weights[child]
            if is_split:
                clusters.append(_Cluster(parent=current, birth=density))
            cluster_of_node[child] = len(clusters) - 1 if is_split else current
    _add_heavy_leaves(clusters, cluster_of_node, weights[:leaves], min_cluster_size)
    return clusters, cluster_of_node


def _add_heavy_leaves(
    clusters: list[_Cluster],
    cluster_of_node: NDArray[np.int64],
    leaf_weights: list[int],
    min_cluster_size: int,
) -> None:
    """Let leaves that are large enough by themselves stay in their branch up to most density."""
    for leaf, weight in enumerate(leaf_weights):
        if weight >= min_cluster_size:
            cluster = clusters[int(cluster_of_node[leaf])]
            cluster.stability += (1 / _SMALLEST_DISTANCE - cluster.birth) * weight


def _select(clusters: list[_Cluster]) -> list[int]:
    """Return the label that rows of each branch get: that of the selected branch above, or -1."""
    best = [0.0] * len(clusters)
    is_selected = [False] * len(clusters)
    for index in range(len(clusters) - 1, 0, -1):
        cluster = clusters[index]
        is_selected[index] = cluster.stability >= best[index]
        best[index] = max(cluster.stability, best[index])
        best[cluster.parent] += best[index]
    labels = [-1] * len(clusters)
    count = 0
    for index in range(1, len(clusters)):
        above = labels[clusters[index].parent]
        if above >= 0:
            labels[index] = above
        elif is_selected[index]:
            labels[index], count = count, count + 1
    return labels
