"""The landmarks nearest to new rows; what a row gets does not depend on the rows beside it.

Rows are multiplied in blocks of one shape, the last one filled up, because the last bits of a
matrix product depend on its shape; what the product finds is ranked by distances summed in one
order.
"""

from __future__ import annotations

import numpy as np

from cluster_svc.compiled import kernel
from cluster_svc.neighbors.exact import LargestSimilarities, scan_block
from cluster_svc.neighbors.ranking import candidate_count
from cluster_svc.vectors import FloatArray, IntArray

# Rows of a block: few, so that a single row is quick, and enough for the product.
BLOCK_ROWS = 128

# Landmarks whose similarities to a block are still in the processor's cache when looked through.
_BLOCK_COLUMNS = 1024


def find_nearest(landmarks: FloatArray, block: FloatArray, k: int) -> tuple[IntArray, FloatArray]:
    """Return the k nearest landmarks of each row of a block and their cosine distances.

    Parameters
    ----------
    landmarks : float32 array of shape (landmarks, dimensions)
        Of length 1 or 0; a zero vector is at distance 1 from everything.
    block : float32 array of shape (BLOCK_ROWS, dimensions)
        Of length 1 or 0.
    k : int
        At most as many as there are landmarks.

    Returns
    -------
    indices : int32 array of shape (BLOCK_ROWS, k)
        Nearest first, equal distances by index.
    distances : float32 array of shape (BLOCK_ROWS, k)
        0 to 2.
    """
    heaps = LargestSimilarities(len(block), min(candidate_count(k), len(landmarks)))
    # No landmark is a row of the block: the block's rows are counted on behind them.
    first_row = len(landmarks)
    for start in range(0, len(landmarks), _BLOCK_COLUMNS):
        similarities = block @ landmarks[start : start + _BLOCK_COLUMNS].T
        scan_block(similarities, first_row, start, first_row, False, heaps.similarities, heaps.rows)
    candidates = np.sort(heaps.rows, axis=1)
    distances = np.empty(candidates.shape, np.float32)
    _measure_distances(block, landmarks, candidates, distances)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    nearest = np.take_along_axis(candidates, order, axis=1)
    return nearest, np.take_along_axis(distances, order, axis=1)


@kernel
def _measure_distances(
    block: FloatArray, landmarks: FloatArray, candidates: IntArray, distances: FloatArray
) -> None:
    """Write half the squared distance of unit vectors, which is ``1 - cos``, 1 for zero vectors."""
    for row in range(len(block)):
        for place in range(candidates.shape[1]):
            other = candidates[row, place]
            square, own, others = 0.0, 0.0, 0.0
            for column in range(block.shape[1]):
                left, right = np.float64(block[row, column]), np.float64(landmarks[other, column])
                square += (left - right) * (left - right)
                own += left * left
                others += right * right
            is_direction = own > 0.5 and others > 0.5
            distances[row, place] = min(square / 2, 2.0) if is_direction else 1.0
