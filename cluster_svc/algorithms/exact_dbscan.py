"""DBSCAN at one eps, to the letter.

Source: M. Ester, H.-P. Kriegel, J. Sander, X. Xu, "A density-based algorithm for discovering
clusters in large spatial databases with noise", KDD 1996.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cluster_svc.algorithms.density_tree import number_by_first
from cluster_svc.algorithms.radius import count_within, first_label_within, link_within
from cluster_svc.graph import NeighborGraph
from cluster_svc.vectors import FloatArray, IntArray, merge_identical_rows, normalize_rows


def dbscan_rows(vectors: FloatArray, eps: float, min_samples: int) -> IntArray:
    """Return DBSCAN's label of each row, equal to scikit-learn's.

    Parameters
    ----------
    vectors : float32 array of shape (rows, dimensions)
        Finite; of any length.
    eps, min_samples
        As for `exact_dbscan`.
    """
    node_of_row, first_rows = merge_identical_rows(vectors)
    # A border point goes to the first cluster, so nodes come in the order of their rows.
    order = np.argsort(first_rows)
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order))
    node_of_row = place[node_of_row]
    units = normalize_rows(vectors[first_rows[order]])
    labels = exact_dbscan(units, np.bincount(node_of_row), eps, min_samples)
    by_row: IntArray = labels[node_of_row]
    return by_row


def exact_dbscan(
    units: FloatArray, multiplicities: NDArray[np.int64], eps: float, min_samples: int
) -> IntArray:
    """Return DBSCAN's label of each node, from true radius neighbours, as scikit-learn gives them.

    Three passes of blocked matrix products, n^2 time, memory linear in the nodes.

    Parameters
    ----------
    units : float32 array of shape (nodes, dimensions)
        Distinct vectors of length 1 or 0.
    multiplicities : int64 array of shape (nodes,)
        The rows of each node.
    eps : float
        Cosine distance, ends included.
    min_samples : int
        Rows within eps, the row itself counted, that make a core point.

    Returns
    -------
    int32 array of shape (nodes,)
        Clusters from 0 by first core row; a border point goes to the first cluster that has a
        core point within eps; -1 for noise.
    """
    is_core = count_within(units, multiplicities, eps) >= min_samples
    labels = number_by_first(link_within(units, is_core, eps), is_core)
    border = np.flatnonzero(~is_core)
    labels[border] = first_label_within(units, border, labels, eps)
    return labels


def graph_dbscan(units: FloatArray, graph: NeighborGraph, eps: float, min_samples: int) -> IntArray:
    """Return what `exact_dbscan` does, from an exact graph, in near-linear time for a short eps.

    A node whose farthest neighbour in the graph lies beyond eps has all its neighbours there. Only
    pairs of the other nodes are compared with each other, in blocks; when eps is beyond the reach
    of most, that is as slow as `exact_dbscan`.

    Parameters
    ----------
    units : float32 array of shape (nodes, dimensions)
    graph : NeighborGraph
        Of the units, without a neighbour missing.
    eps, min_samples
        As for `exact_dbscan`.
    """
    counts = graph.multiplicities
    near = graph.distances <= np.float32(eps)
    is_open: NDArray[np.bool_] = np.zeros(graph.node_count, np.bool_)
    if graph.neighbor_count < graph.node_count - 1:
        is_open = np.asarray(near.all(axis=1))
    rows = (counts[graph.indices] * near).sum(axis=1) + counts
    doubtful = np.flatnonzero(is_open & (rows < min_samples))
    if len(doubtful):
        rows[doubtful] = count_within(units, counts, eps, doubtful)
    is_core = rows >= min_samples
    components = link_within(units, is_core & is_open, eps)
    components = _link_neighbors(components, graph, near, is_core)
    labels = number_by_first(components, is_core)
    border = np.flatnonzero(~is_core)
    touching = near[border] & is_core[graph.indices[border]]
    none = np.iinfo(np.int32).max
    first = np.where(touching, labels[graph.indices[border]], none).min(axis=1, initial=none)
    labels[border] = np.where(first < none, first, -1)
    open_border = border[is_open[border]]
    labels[open_border] = first_label_within(
        units, open_border, np.where(is_core, labels, np.int32(-1)), eps
    )
    return labels


def _link_neighbors(
    components: IntArray,
    graph: NeighborGraph,
    near: NDArray[np.bool_],
    is_core: NDArray[np.bool_],
) -> IntArray:
    """Return the components once core nodes near each other in the graph are linked too."""
    linked = near & is_core[:, None] & is_core[graph.indices]
    heads, places = np.nonzero(linked)
    ends = (components[heads], components[graph.indices[heads, places]])
    shape = (graph.node_count, graph.node_count)
    links = coo_array((np.ones(len(heads), np.int8), ends), shape=shape)
    joined: IntArray = connected_components(links, directed=False)[1][components].astype(np.int32)
    return joined
