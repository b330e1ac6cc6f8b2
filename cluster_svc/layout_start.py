"""Where nodes start on the plane: the slowest modes of diffusion over the fuzzy graph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from cluster_svc.vectors import FloatArray

# More of either start the layout no better, on text of 13,000 rows.
_DIMENSIONS = 8
_STEPS = 200


def spread_start(weights: csr_array, seed: int) -> FloatArray:
    """Return start positions of the nodes, from diffused random numbers.

    Random coordinates are smoothed over the graph again and again, so that what remains are the
    slow modes, in which near nodes are near; the two slowest are taken. This is subspace iteration
    with a fixed number of steps: it cannot fail to converge and copes with any number of
    components.

    Parameters
    ----------
    weights : csr_array of shape (nodes, nodes)
        Symmetric, not negative.
    seed : int

    Returns
    -------
    float32 array of shape (nodes, 2)
    """
    nodes = weights.shape[0]
    if nodes < 3:
        return np.column_stack([np.arange(nodes), np.zeros(nodes)]).astype(np.float32)
    modes = np.random.default_rng(seed).normal(size=(nodes, _DIMENSIONS))
    walk = _lazy_walk(weights)
    for _ in range(_STEPS):
        modes = _orthonormal(walk @ modes)
    return _slowest_two(walk, modes).astype(np.float32)


def _lazy_walk(weights: csr_array) -> csr_array:
    """Return the random walk that stays where it is half of the time."""
    degrees = np.asarray(weights.sum(axis=1)).ravel().astype(np.float64)
    inverse = diags_array(np.where(degrees > 0, 0.5 / np.where(degrees > 0, degrees, 1), 0))
    stay = diags_array(np.where(degrees > 0, 0.5, 1.0))
    return csr_array(inverse @ weights + stay)


def _orthonormal(modes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an orthonormal basis of the centred modes."""
    basis: NDArray[np.float64] = np.linalg.qr(modes - modes.mean(axis=0))[0]
    return basis


def _slowest_two(walk: csr_array, modes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the two directions within the modes that the walk shrinks least (Rayleigh-Ritz)."""
    shrunk = modes.T @ (walk @ modes)
    _, directions = np.linalg.eigh((shrunk + shrunk.T) / 2)
    slowest = directions[:, ::-1][:, :2]
    signs = np.sign(slowest[np.abs(slowest).argmax(axis=0), np.arange(slowest.shape[1])])
    plane: NDArray[np.float64] = modes @ (slowest * signs)
    return plane
