"""As many vectors as are asked for, made of real ones: they lie where these do, and between them.

A real row moves a part of the way, from a tenth to nine tenths, towards one of its 15 nearest
neighbours, drawn at random; then isotropic noise of length 0.25 is added; both times the row is
scaled to length 1 again. Many rows of one real row lie closer together than real ones would: the
set is easier than a real one of its size, good for time and memory, not for claims about recall.
"""

import numpy as np
from numpy.typing import NDArray

from cluster_svc.graph import build_graph

NEIGHBOR_COUNT = 15
NOISE_LENGTH = 0.25
_BLOCK_ROWS = 50_000

FloatArray = NDArray[np.float32]


def resample(vectors: FloatArray, row_count: int, seed: int = 0, threads: int = 1) -> FloatArray:
    """Return unit vectors, float32 of shape (row_count, dimensions), in no order.

    Parameters
    ----------
    vectors : float32 array of shape (rows, dimensions)
        Real ones, more than 15 different ones.
    """
    graph = build_graph(vectors, NEIGHBOR_COUNT, thread_count=threads)
    nodes = _scaled(vectors[graph.first_rows])
    made = np.empty((row_count, vectors.shape[1]), np.float32)
    chance = np.random.default_rng(seed)
    for start in range(0, row_count, _BLOCK_ROWS):
        block = made[start : start + _BLOCK_ROWS]
        real = chance.integers(0, len(nodes), len(block))
        towards = graph.indices[real, chance.integers(0, graph.neighbor_count, len(block))]
        part = chance.uniform(0.1, 0.9, (len(block), 1)).astype(np.float32)
        between = _scaled((1 - part) * nodes[real] + part * nodes[towards])
        noise = chance.standard_normal(block.shape, dtype=np.float32)
        block[:] = _scaled(between + NOISE_LENGTH * _scaled(noise))
    return made


def _scaled(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: FloatArray = np.divide(vectors, np.where(lengths > 0, lengths, 1), dtype=np.float32)
    return scaled
