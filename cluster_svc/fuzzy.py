"""The fuzzy simplicial set of a neighbour graph: how strongly two nodes belong together.

Source: L. McInnes, J. Healy, J. Melville, "UMAP: Uniform Manifold Approximation and Projection for
Dimension Reduction", 2018, section 3.1; here in vectorised NumPy, so that nothing is compiled.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from cluster_svc.graph import NeighborGraph
from cluster_svc.vectors import FloatArray

# Bisection halves the interval this often; float32 distances are exhausted by then.
_BISECTION_STEPS = 40

# A bandwidth is at least this share of the mean distance, else one near neighbour takes all.
_SMALLEST_BANDWIDTH = 1e-3


def fuzzy_graph(graph: NeighborGraph) -> csr_array:
    """Return the symmetric fuzzy graph of the nodes.

    The weight of a directed edge is ``exp(-(d - rho) / sigma)``: 1 for the nearest neighbour at
    distance rho, with sigma such that the weights of a node sum to ``log2(k)``. Both directions
    are joined by the probabilistic sum ``a + b - a * b``.

    Returns
    -------
    csr_array of shape (nodes, nodes), float32, weights above 0 to 1, empty diagonal
    """
    nodes, k = graph.indices.shape
    if k == 0:
        return csr_array((nodes, nodes), dtype=np.float32)
    weights = membership_weights(graph.distances)
    pointers = np.arange(0, nodes * k + 1, k)
    directed = csr_array((weights.ravel(), graph.indices.ravel(), pointers), shape=(nodes, nodes))
    reverse = directed.T.tocsr()
    joined = directed + reverse - directed.multiply(reverse)
    joined = csr_array(joined)
    joined.eliminate_zeros()
    joined.sort_indices()
    return joined


def membership_weights(distances: FloatArray) -> FloatArray:
    """Return the weight of every directed edge, float32 of the shape of ``distances``, 0 to 1."""
    rho = _nearest_positive(distances)
    beyond = np.maximum(distances.astype(np.float64) - rho[:, None], 0)
    sigma = _bandwidths(beyond, target=np.log2(max(distances.shape[1], 2)))
    own_mean = distances.mean(axis=1)
    floor = _SMALLEST_BANDWIDTH * np.where(rho > 0, own_mean, distances.mean())
    sigma = np.maximum(np.maximum(sigma, floor), np.finfo(np.float32).tiny)
    weights: FloatArray = np.exp(-beyond / sigma[:, None]).astype(np.float32)
    return weights


def _nearest_positive(distances: FloatArray) -> NDArray[np.float64]:
    """Return the smallest distance above 0 of each row, 0 where there is none."""
    positive = np.where(distances > 0, distances.astype(np.float64), np.inf).min(axis=1)
    return np.where(np.isfinite(positive), positive, 0.0)


def _bandwidths(beyond: NDArray[np.float64], target: float) -> NDArray[np.float64]:
    """Return for each row the sigma at which its weights sum to ``target``, by bisection."""
    low = np.zeros(len(beyond))
    high = np.full(len(beyond), np.inf)
    sigma = np.ones(len(beyond))
    for _ in range(_BISECTION_STEPS):
        too_wide = np.exp(-beyond / sigma[:, None]).sum(axis=1) > target
        high = np.where(too_wide, sigma, high)
        low = np.where(too_wide, low, sigma)
        sigma = np.where(np.isinf(high), sigma * 2, (low + np.minimum(high, 1e300)) / 2)
    return sigma
