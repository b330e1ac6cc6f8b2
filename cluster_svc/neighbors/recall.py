"""How many of the true nearest neighbours a search found, measured on a sample."""

from __future__ import annotations

import numpy as np

from cluster_svc.compiled import for_each_block
from cluster_svc.neighbors.blas import one_blas_thread
from cluster_svc.neighbors.exact import LargestSimilarities, scan_block
from cluster_svc.vectors import FloatArray, RowArray, normalize_rows

_COLUMNS = 8192
_QUERIES = 64

# Another of several equally near neighbours is no miss; nor is one that rounding makes nearer.
_TOLERANCE = 2e-6


def sample_recall(
    vectors: FloatArray,
    first_rows: RowArray,
    sample: RowArray,
    distances: FloatArray,
    thread_count: int = 1,
) -> float:
    """Return the share of true nearest neighbours among those found for a sample of nodes, 0 to 1.

    Parameters
    ----------
    vectors : float32 array of shape (rows, dimensions)
    first_rows : int64 array of shape (nodes,)
        A row of each node.
    sample : int64 array of shape (sampled,)
        Some nodes.
    distances : float32 array of shape (sampled, k)
        The cosine distances of the neighbours found.
    """
    largest = LargestSimilarities(len(sample), distances.shape[1])
    queries = normalize_rows(vectors, first_rows[sample])
    with one_blas_thread():
        for start in range(0, len(first_rows), _COLUMNS):
            nodes = first_rows[start : start + _COLUMNS]
            columns = normalize_rows(vectors, nodes, thread_count=thread_count)
            _search_columns(queries, sample, columns, start, largest, thread_count)
    return float((1 - distances >= largest.similarities[:, :1] - _TOLERANCE).mean())


def _search_columns(
    queries: FloatArray,
    sample: RowArray,
    columns: FloatArray,
    start: int,
    largest: LargestSimilarities,
    thread_count: int,
) -> None:
    """Keep what is largest among the similarities to the nodes ``start`` and after."""

    def search(first: int, last: int) -> None:
        block = queries[first:last] @ columns.T
        own = sample[first:last] - start
        inside = np.flatnonzero((own >= 0) & (own < len(columns)))
        block[inside, own[inside]] = -np.inf
        # Numbered below 0, so that no query is taken for one of the columns.
        offset = -len(sample)
        scan_block(block, offset + first, start, offset, False, largest.similarities, largest.rows)

    for_each_block(search, len(sample), _QUERIES, thread_count=thread_count)
