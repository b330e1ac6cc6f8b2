"""Vectors read in blocks, each scaled to length 1; a memory map is never in memory as a whole."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

BLOCK_ROWS = 8192
_SHORTEST = 1e-6  # what is shorter after a subtraction of vectors of length 1 is rounding


def blocks_of(count: int, size: int = BLOCK_ROWS) -> Iterator[slice]:
    """Yield slices that cover `count` rows, up to `size` each."""
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def unit_rows(
    vectors: NDArray[np.float32], rows: NDArray[np.integer] | slice
) -> NDArray[np.float32]:
    """Return some rows as unit vectors, float32; zero vectors stay zero."""
    return scaled(np.asarray(vectors[rows], np.float32), 0.0)


def scaled(vectors: NDArray[np.float32], shortest: float = _SHORTEST) -> NDArray[np.float32]:
    """Return vectors of length 1 of the same directions, and zero for those up to `shortest`."""
    # Squares of float32 numbers, large or small, are not infinite or 0 in float64.
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))[:, None]
    is_long = lengths > shortest
    divisors = np.where(is_long, lengths, 1).astype(np.float32)
    return np.where(is_long, vectors / divisors, np.float32(0))


def sum_by(
    parts: NDArray[np.integer], vectors: NDArray[np.float32], part_count: int
) -> NDArray[np.float64]:
    """Return the sum of the vectors of each part, float64 of shape (part_count, n_dimensions)."""
    ones, rows = np.ones(parts.size), np.arange(parts.size)
    members = csr_array((ones, (parts, rows)), shape=(part_count, parts.size))
    sums: NDArray[np.float64] = members @ vectors
    return sums
