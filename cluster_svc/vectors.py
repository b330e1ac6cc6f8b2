"""Vectors before anything is made of them: checked, scaled to length 1, equal ones merged."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from cluster_svc.errors import TooFewRows
from level_rpc.errors import FieldInvalid

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]

# One block of similarities: large enough for BLAS, small beside the vectors.
_BLOCK_BYTES = 48 * 2**20


def check_vectors(vectors: FloatArray) -> None:
    """Raise TooFewRows without any row, FieldInvalid where a vector holds NaN or an infinity."""
    if len(vectors) == 0:
        raise TooFewRows("there are no rows to cluster", row_count=0, minimum_row_count=1)
    if not np.isfinite(vectors).all():
        raise FieldInvalid("a vector holds NaN or an infinity", field="vectors")


def normalize_rows(vectors: FloatArray) -> FloatArray:
    """Return the vectors scaled to length 1; zero vectors stay zero.

    Lengths are taken in float64 after scaling by the largest element, so that neither tiny nor
    huge values are lost.
    """
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0)
    scaled = vectors / np.where(largest > 0, largest, 1)
    lengths = np.sqrt(np.einsum("ij,ij->i", scaled, scaled, dtype=np.float64))[:, None]
    return np.divide(scaled, np.where(lengths > 0, lengths, 1), dtype=np.float32)


def merge_identical_rows(vectors: FloatArray) -> tuple[IntArray, NDArray[np.int64]]:
    """Return the node of each row and the first row of each node; equal vectors share a node."""
    positive_zeros = vectors + np.float32(0)
    nodes: dict[bytes, int] = {}
    node_of_row = np.empty(len(vectors), np.int32)
    first_rows: list[int] = []
    for row, vector in enumerate(positive_zeros):
        key = blake2b(vector, digest_size=16).digest()
        node = nodes.setdefault(key, len(nodes))
        if node == len(first_rows):
            first_rows.append(row)
        node_of_row[row] = node
    return node_of_row, np.array(first_rows, np.int64)


def row_blocks(row_count: int, column_count: int) -> Iterator[slice]:
    """Yield slices of rows such that a float32 block of ``column_count`` columns stays small."""
    height = max(1, _BLOCK_BYTES // (4 * max(column_count, 1)))
    for start in range(0, row_count, height):
        yield slice(start, min(start + height, row_count))
