"""The graph whose nodes are clusters, and clusters joined along its edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from cluster_svc.communities.kernels import DoubleArray, merge_nodes
from cluster_svc.communities.leiden import find_communities
from cluster_svc.neighbors import exact_neighbors
from cluster_svc.vectors import FloatArray, IntArray, normalize_rows

# Each cluster is weakly tied to so many others where the graph falls apart.
_NEAREST_CENTROIDS = 3
_TIE_SHARE = 1e-3
_LEAST_NEARNESS = 1e-3

# The bisection of the resolution that gives a wanted number of clusters.
_HALVINGS = 14
# A number this near to the wanted one, as a share of it, is as good.
NEAR_ENOUGH = 0.03
_LOWEST_RESOLUTION = 1e-4
_HIGHEST_RESOLUTION = 64.0


def renumber(labels: IntArray) -> IntArray:
    """Return the labels numbered from 0 without gaps, in their own order; below 0 becomes -1."""
    clustered = labels >= 0
    numbered = np.full(len(labels), -1, np.int32)
    numbered[clustered] = np.unique(labels[clustered], return_inverse=True)[1]
    return numbered


def aggregate(
    weights: csr_array, labels: IntArray, groups: IntArray | None = None
) -> tuple[csr_array, DoubleArray]:
    """Return the graph of the clusters, and the weight at each.

    Parameters
    ----------
    weights : csr_array of shape (nodes, nodes)
        Symmetric.
    labels : int32 array of shape (nodes,)
        Cluster numbers from 0 without gaps; edges of nodes below 0 are left out.
    groups : int32 array of shape (nodes,), optional
        Edges between nodes of different groups are left out.

    Returns
    -------
    csr_array of shape (clusters, clusters), float32
        The sum of the weights between each two clusters; nothing on the diagonal.
    float64 array of shape (clusters,)
        The sum of the weights of all edges of each cluster's nodes, those within counted twice.
    """
    count = int(labels.max(initial=-1)) + 1
    # All noise is one more part, cut off in the end.
    parts = np.where(labels >= 0, labels, count).astype(np.int32)
    kept = weights if groups is None else _within_groups(weights, groups)
    starts, ends, sums = merge_nodes(
        kept.indptr.astype(np.int64, copy=False),
        kept.indices.astype(np.int32, copy=False),
        kept.data.astype(np.float32, copy=False),
        parts,
        count + 1,
    )
    graph = csr_array((sums, ends, starts), shape=(count + 1, count + 1))[:count, :count]
    strengths = np.asarray(weights.sum(axis=1, dtype=np.float64)).ravel()
    sizes = np.bincount(parts, weights=strengths, minlength=count + 1)[:count]
    return csr_array(graph), sizes.astype(np.float64)


def find_centroids(units: FloatArray, labels: IntArray) -> FloatArray:
    """Return the direction of each cluster's mean: float32 of shape (clusters, dimensions).

    Parameters
    ----------
    units : float32 array of shape (nodes, dimensions)
    labels : int32 array of shape (nodes,)
        Cluster numbers from 0 without gaps, -1 for noise.
    """
    nodes = np.flatnonzero(labels >= 0)
    count = int(labels.max(initial=-1)) + 1
    ones = np.ones(len(nodes), np.float32)
    members = csr_array((ones, (labels[nodes], nodes)), shape=(count, len(labels)))
    return normalize_rows(np.asarray(members @ units, np.float32))


def tie_nearest(graph: csr_array, sizes: DoubleArray, centroids: FloatArray) -> csr_array:
    """Return the graph with weak ties between each cluster and those with the nearest centroids.

    Parameters
    ----------
    graph : csr_array of shape (clusters, clusters)
    sizes : float64 array of shape (clusters,)
        The weight at each; a tie is a thousandth of the lesser of two, times the similarity.
    centroids : float32 array of shape (clusters, dimensions)
        Of length 1 or 0.
    """
    count = len(centroids)
    k = min(_NEAREST_CENTROIDS, count - 1)
    indices, distances = exact_neighbors(centroids, k)
    heads = np.repeat(np.arange(count), k)
    tails = indices.ravel()
    # Distances go from 0 to 2; no tie is without any weight.
    nearness = 1 - distances.ravel() / 2 + _LEAST_NEARNESS
    # A cluster without any edge is tied as one of middling size.
    lesser = np.minimum(sizes[heads], sizes[tails])
    lesser = np.where(lesser > 0, lesser, max(float(sizes.mean()), 1.0))
    ties = _TIE_SHARE * nearness * lesser
    directed = csr_array((ties.astype(np.float32), (heads, tails)), shape=graph.shape)
    return csr_array(graph + directed.maximum(directed.T))


def _within_groups(weights: csr_array, groups: IntArray) -> csr_array:
    """Return the graph without edges between groups."""
    inside = np.repeat(groups, np.diff(weights.indptr)) == groups[weights.indices]
    starts = np.concatenate([[0], np.cumsum(inside)])[weights.indptr]
    return csr_array((weights.data[inside], weights.indices[inside], starts), shape=weights.shape)


def join_clusters(
    weights: csr_array,
    labels: IntArray,
    wanted: int,
    *,
    seed: int,
    groups: IntArray | None = None,
    units: FloatArray | None = None,
) -> IntArray:
    """Return the labels with clusters joined into about ``wanted`` communities, noise as it is.

    The communities are of the graph whose nodes are the clusters; the resolution that gives their
    number is found by bisection. Those of different groups are not joined. Where the graph falls
    into more parts than wanted, clusters are also weakly tied to those with the nearest centroids,
    if ``units`` are given.
    """
    if labels.max(initial=-1) < 0:
        return labels
    graph, sizes = aggregate(weights, labels, groups)
    if units is not None and connected_components(graph, directed=False)[0] > wanted:
        graph = tie_nearest(graph, sizes, find_centroids(units, labels))
    low, high = np.log(_LOWEST_RESOLUTION), np.log(_HIGHEST_RESOLUTION)
    best = np.arange(graph.shape[0], dtype=np.int32)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        found = find_communities(
            graph, resolution=float(np.exp(middle)), seed=seed, node_sizes=sizes, pass_count=1
        )
        count = int(found.max()) + 1
        if abs(count - wanted) <= abs(int(best.max()) + 1 - wanted):
            best = found
        if abs(count - wanted) <= NEAR_ENOUGH * wanted:
            break
        low, high = (middle, high) if count < wanted else (low, middle)
    return np.where(labels >= 0, best[labels], np.int32(-1)).astype(np.int32)


def join_small_clusters(
    weights: csr_array,
    labels: IntArray,
    row_counts: NDArray[np.int64],
    min_cluster_size: int,
    *,
    groups: IntArray | None = None,
) -> IntArray:
    """Return the labels with each too small cluster joined to the one it is most strongly tied to.

    A small cluster that is tied to no other stays as it is.

    Parameters
    ----------
    weights : csr_array of shape (nodes, nodes)
        Symmetric.
    labels : int32 array of shape (nodes,)
        Cluster numbers from 0 without gaps, -1 for noise.
    row_counts : int array of shape (nodes,)
        The rows of each node.
    min_cluster_size : int
        The rows from which a cluster is not small.
    groups : int32 array of shape (nodes,), optional
        Clusters of different groups are not joined.

    Returns
    -------
    int32 array of shape (nodes,), numbers from 0 without gaps, -1 for noise
    """
    while True:
        clustered = labels >= 0
        sizes = np.bincount(labels[clustered], weights=row_counts[clustered])
        if len(sizes) == 0 or sizes.min() >= min_cluster_size:
            return labels
        nearest = _strongest_ties(aggregate(weights, labels, groups)[0])
        joins = np.flatnonzero((sizes < min_cluster_size) & (nearest >= 0))
        if len(joins) == 0:
            return labels
        edges = (np.ones(len(joins), np.int8), (joins, nearest[joins]))
        links = coo_array(edges, shape=(len(sizes), len(sizes)))
        joined = connected_components(links, directed=False)[1]
        labels = renumber(np.where(clustered, joined[labels], -1).astype(np.int32))


def _strongest_ties(graph: csr_array) -> IntArray:
    """Return the other cluster that each is most strongly tied to, -1 where there is none."""
    entries = graph.tocoo()
    others = (entries.row != entries.col) & (entries.data > 0)
    heads, tails, ties = entries.row[others], entries.col[others], entries.data[others]
    order = np.lexsort((tails, -ties, heads))
    first = np.unique(heads[order], return_index=True)
    nearest = np.full(graph.shape[0], -1, np.int32)
    nearest[first[0]] = tails[order][first[1]]
    return nearest
