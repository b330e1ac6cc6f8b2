"""How well a layout shows the graph and the clusters."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from cluster_svc.graph import NeighborGraph
from cluster_svc.vectors import FloatArray, IntArray

_SAMPLE_SIZE = 2_000


def neighbor_preservation(graph: NeighborGraph, positions: FloatArray, seed: int = 0) -> float:
    """Return the share of the graph's neighbours that are among as many nearest on the plane.

    Parameters
    ----------
    graph : NeighborGraph
    positions : float32 array of shape (rows, 2)
    seed : int
        Draws the nodes that are looked at, at most 2,000.

    Returns
    -------
    float
        0 to 1; 1 for a graph without any neighbour.
    """
    nodes, count = graph.node_count, graph.neighbor_count
    if count == 0:
        return 1.0
    places = positions[graph.first_rows]
    sample = np.random.default_rng(seed).permutation(nodes)[:_SAMPLE_SIZE]
    nearest = cKDTree(places).query(places[sample], count + 1)[1]
    # Where nodes lie on one spot a node itself need not be the first, nor among those found.
    own = nearest == sample[:, None]
    own[~own.any(axis=1), -1] = True
    shown = np.sort(nearest[~own].reshape(len(sample), count), axis=1)
    kept = [
        np.isin(found, known, assume_unique=True).sum()
        for found, known in zip(shown, graph.indices[sample], strict=True)
    ]
    return float(np.sum(kept) / (len(sample) * count))


def own_hill_fraction(positions: FloatArray, labels: IntArray) -> float:
    """Return the share of clustered rows to whose cluster's centre no other centre is nearer.

    Parameters
    ----------
    positions : float32 array of shape (rows, 2)
    labels : int32 array of shape (rows,)
        Cluster of each row, -1 for none. The centre of a cluster is its rows' mean position.

    Returns
    -------
    float
        0 to 1; 1 without any clustered row.
    """
    clustered = labels >= 0
    if not clustered.any():
        return 1.0
    names, members = np.unique(labels[clustered], return_inverse=True)
    placed = positions[clustered].astype(np.float64)
    sizes = np.bincount(members, minlength=len(names))
    sums = [np.bincount(members, placed[:, axis], len(names)) for axis in (0, 1)]
    centers = np.column_stack(sums) / sizes[:, None]
    nearest = cKDTree(centers).query(placed)[1]
    return float((nearest == members).mean())
