"""The search for nearest neighbours among unit vectors: exact, or by NN-descent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cluster_svc.vectors import FloatArray, IntArray, row_blocks

ReportFraction = Callable[[float], None]

# Columns of a block of similarities that are looked at together when the largest are sought.
_COLUMN_GROUP = 16


def exact_neighbors(
    units: FloatArray, k: int, report: ReportFraction = lambda fraction: None
) -> tuple[IntArray, FloatArray]:
    """Return the k nearest other rows of each unit vector and their cosine distances.

    Blocks of similarities come from one matrix product each; memory is linear in the rows.
    """
    count = len(units)
    indices = np.empty((count, k), np.int32)
    distances = np.empty((count, k), np.float32)
    if k == 0:
        return indices, distances
    buffer = np.empty((next(row_blocks(count, count)).stop, count), np.float32)
    for block in row_blocks(count, count):
        similarities = np.matmul(units[block], units.T, out=buffer[: block.stop - block.start])
        rows = np.arange(block.start, block.stop)
        similarities[rows - block.start, rows] = -np.inf
        indices[block], distances[block] = _largest(similarities, k)
        report(block.stop / count)
    return indices, distances


def _largest(similarities: FloatArray, k: int) -> tuple[IntArray, FloatArray]:
    """Return the columns of the k largest entries of each row, and one minus these entries."""
    candidates = _candidate_columns(similarities, k)
    values = np.take_along_axis(similarities, candidates, axis=1)
    places = np.argpartition(values, -k, axis=1)[:, -k:]
    columns = np.take_along_axis(candidates, places, axis=1)
    smallest_taken = np.take_along_axis(values, places, axis=1).min(axis=1)
    # argpartition takes any of the entries that tie for the last place; the first ones are wanted.
    ties = np.count_nonzero(similarities >= smallest_taken[:, None], axis=1) > k
    for row in np.flatnonzero(ties):
        tied = np.flatnonzero(similarities[row] >= smallest_taken[row])
        order = np.argsort(-similarities[row, tied], kind="stable")
        columns[row] = tied[order[:k]]
    return _sorted_neighbors(columns, 1 - np.take_along_axis(similarities, columns, axis=1))


def _candidate_columns(similarities: FloatArray, k: int) -> NDArray[np.int64]:
    """Return for each row columns among which its k largest entries are.

    The k largest entries lie in the k groups of columns with the largest maxima. Taking maxima is
    far cheaper than partitioning whole rows.
    """
    rows, count = similarities.shape
    groups = count // _COLUMN_GROUP
    grouped = groups * _COLUMN_GROUP
    if groups <= k:
        return np.broadcast_to(np.arange(count), similarities.shape)
    maxima = similarities[:, :grouped].reshape(rows, _COLUMN_GROUP, groups).max(axis=1)
    chosen = np.argpartition(maxima, -k, axis=1)[:, -k:]
    members = chosen[:, None, :] + groups * np.arange(_COLUMN_GROUP)[:, None]
    rest = np.broadcast_to(np.arange(grouped, count), (rows, count - grouped))
    return np.concatenate([members.reshape(rows, -1), rest], axis=1)


def _sorted_neighbors(columns: NDArray[np.int64], gaps: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return columns and distances of each row by distance, then index, rounding clipped away."""
    order = np.lexsort((columns, gaps), axis=1)
    nearest = np.take_along_axis(columns, order, axis=1).astype(np.int32)
    return nearest, np.clip(np.take_along_axis(gaps, order, axis=1), 0, 2)


def approximate_neighbors(units: FloatArray, k: int, seed: int) -> tuple[IntArray, FloatArray]:
    """Return about the k nearest other rows of each unit vector, by NN-descent.

    Source: W. Dong, C. Moses, K. Li, "Efficient k-nearest neighbor graph construction for generic
    similarity measures", WWW 2011; through pynndescent.
    """
    from pynndescent import NNDescent

    found, _ = NNDescent(
        units,
        metric="cosine",
        n_neighbors=k + 1,
        random_state=seed,
        low_memory=True,
        compressed=False,
    ).neighbor_graph
    columns = _drop_self(found.astype(np.int64), k)
    gaps = np.empty(columns.shape, np.float32)
    for block in row_blocks(len(units), k * units.shape[1]):
        gaps[block] = 1 - np.einsum("ijd,id->ij", units[columns[block]], units[block])
    return _sorted_neighbors(columns, gaps)


def _drop_self(found: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Return k entries of each row other than the row itself; gaps are filled with low indices.

    NN-descent leaves -1 where it found too few, and the row itself at any place.
    """
    rows = np.arange(len(found))[:, None]
    usable = (found >= 0) & (found != rows)
    order = np.argsort(~usable, axis=1, kind="stable")[:, :k]
    kept = np.take_along_axis(found, order, axis=1)
    for row in np.flatnonzero(~np.take_along_axis(usable, order, axis=1).all(axis=1)):
        own = found[row][usable[row]]
        others = np.setdiff1d(np.arange(min(2 * k + 2, len(found))), np.append(own, row))
        kept[row] = np.append(own, others)[:k]
    return kept
