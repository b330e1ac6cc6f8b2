"""Moving the nodes of a field until attraction and repulsion balance.

Every epoch moves all nodes at once, from where the last epoch left them, so that the nodes can be
shared among threads without any effect on the result. A node is attracted along all of its edges
and repelled by a random sample of all nodes, as if by all; its step is bounded by the stiffness of
its own attraction.

Sources: L. McInnes, J. Healy, J. Melville, "UMAP: Uniform Manifold Approximation and Projection for
Dimension Reduction", 2018, for the forces; J. N. Böhm, P. Berens, D. Kobak, "Attraction-Repulsion
Spectrum in Neighbor Embeddings", Journal of Machine Learning Research 23, 2022, for what more
repulsion than UMAP's does: neighbours are kept better and clusters spread into the space between.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import numpy as np

from cluster_svc.layout.field import Field
from cluster_svc.layout.kernels import move_nodes
from cluster_svc.vectors import FloatArray

# Two nodes at distance d attract each other as the curve 1 / (1 + steepness * d^2) says.
STEEPNESS = 2.0

# How strongly all nodes together repel one, beside the sum of its weights: UMAP's is about 2.5.
REPULSION = 12.0

# By then it has grown to its last strength.
_RAMP_SHARE = 0.3

# Draws everything to the middle, so that parts of a graph without any edge between them stay near.
GRAVITY = 3e-5

_SAMPLES = 16

# Below this the threads would wait for each other longer than they work.
_LEAST_NODES_PER_THREAD = 1_000

AfterEpoch = Callable[[int, FloatArray], None]


def settle(
    field: Field,
    positions: FloatArray,
    *,
    epochs: int,
    first_step: float,
    last_step: float = 0.0,
    first_repulsion: float = REPULSION,
    last_repulsion: float = REPULSION,
    mobility: FloatArray | None = None,
    seed: int = 0,
    thread_count: int = 1,
    after_epoch: AfterEpoch = lambda epoch, positions: None,
) -> FloatArray:
    """Return the positions after some epochs, the step falling evenly meanwhile.

    Parameters
    ----------
    field : Field
    positions : float32 array of shape (nodes, 2)
        Where nodes start; left as it is.
    epochs : int
    first_step, last_step : float
        0 to 1.
    first_repulsion, last_repulsion : float
        Its strength grows from one to the other over the first 30 %. While it is weak everything
        lies close together, and parts of a cluster that are apart can still meet.
    mobility : float32 array of shape (nodes,), optional
        0 for nodes that stay, 1 for the others.
    seed : int
        Draws the samples.
    thread_count : int
        Has no effect on the result.
    after_epoch
        Called after every epoch with its number from 1 and the positions, which it must not keep.
    """
    nodes = field.node_count
    random = np.random.default_rng(seed)
    places = random.permutation(nodes).astype(np.int32)
    seeds = random.integers(2**32, size=epochs, dtype=np.uint32)
    now, then = np.array(positions, np.float32, order="C"), np.empty((nodes, 2), np.float32)
    drawn = np.empty((2, nodes + min(_SAMPLES, nodes)), np.float32)
    drawn[:, places] = now.T
    drawn[:, nodes:] = drawn[:, : drawn.shape[1] - nodes]
    drawn_then = drawn.copy()
    free = np.ones(nodes, np.float32) if mobility is None else mobility
    weights, rates = field.unit_weights, field.rates
    threads = max(1, min(thread_count, nodes // _LEAST_NODES_PER_THREAD))
    bounds = np.linspace(0, nodes, threads + 1).astype(int).tolist()
    with ThreadPoolExecutor(threads) as pool:
        for epoch in range(epochs):
            step = first_step + (last_step - first_step) * epoch / epochs
            grown = min(1.0, epoch / (_RAMP_SHARE * epochs))
            repulsion = first_repulsion ** (1 - grown) * last_repulsion**grown
            forces = _forces(drawn.shape[1] - nodes, repulsion, step)
            move = partial(
                move_nodes,
                field.starts,
                field.ends,
                weights,
                rates,
                free,
                places,
                now,
                drawn,
                then,
                drawn_then,
                forces,
                seeds[epoch],
            )
            others = [pool.submit(move, start, stop) for start, stop in pairwise(bounds[1:])]
            move(0, bounds[1])
            for other in others:
                other.result()
            now, then, drawn, drawn_then = then, now, drawn_then, drawn
            after_epoch(epoch + 1, now)
    return now


def _forces(samples: int, repulsion: float, step: float) -> FloatArray:
    return np.array([STEEPNESS, 2 * repulsion / samples, GRAVITY, step], np.float32)
