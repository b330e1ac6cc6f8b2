"""Which rows are alike: by their vectors, on the neighbour graph, or by their texts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from level_rpc.errors import FieldInvalid


@dataclass(frozen=True, eq=False)
class Alike:
    """Points, each the rows of one vector or text, and the angles between those that are near.

    Parameters
    ----------
    row_points : ndarray of shape (n_rows,), int64
        The point of each row.
    first_rows : ndarray of shape (n_points,), int32
    row_counts : ndarray of shape (n_points,), int64
    angles : sparse array of shape (n_points, n_points), float64
        Symmetric, in radians; a point is far from those that it has no entry for.
    """

    row_points: NDArray[np.int64]
    first_rows: NDArray[np.int32]
    row_counts: NDArray[np.int64]
    angles: csr_array


def find_alike(
    row_nodes: NDArray[np.int32],
    indices: NDArray[np.int32],
    distances: NDArray[np.float32],
    max_distance: float,
    text_keys: NDArray[np.int64] | None,
) -> Alike:
    """Return which rows are alike; the parameters are those of `find_near_duplicates`.

    Raises
    ------
    FieldInvalid
        If the arrays do not fit together or the distance is out of range.
    """
    _check(row_nodes, indices, distances, max_distance, text_keys)
    node_points = _merge_texts(row_nodes, len(indices), text_keys)
    row_points = node_points[row_nodes]
    first_rows = np.empty(int(node_points.max(initial=-1)) + 1, np.int32)
    # Of the rows of one point the one written last stays.
    first_rows[row_points[::-1]] = np.arange(row_nodes.size - 1, -1, -1)
    return Alike(
        row_points=row_points,
        first_rows=first_rows,
        row_counts=np.bincount(row_points, minlength=first_rows.size),
        angles=_near_angles(node_points, indices, distances, max_distance),
    )


def _merge_texts(
    row_nodes: NDArray[np.int32], node_count: int, text_keys: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """Return the point of each node; points are numbered in the order of their first nodes."""
    if text_keys is None:
        return np.arange(node_count, dtype=np.int64)
    keys, key_of_row = np.unique(text_keys, return_inverse=True)
    shape = (node_count + keys.size,) * 2
    links = coo_array(
        (np.ones(row_nodes.size, bool), (row_nodes, node_count + key_of_row)), shape=shape
    )
    _, parts = connected_components(links, directed=False)
    _, first_nodes, points = np.unique(parts[:node_count], return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first_nodes))[points]


def _near_angles(
    node_points: NDArray[np.int64],
    indices: NDArray[np.int32],
    distances: NDArray[np.float32],
    max_distance: float,
) -> csr_array:
    nodes, places = np.nonzero(distances <= max_distance)
    ends = np.stack([node_points[nodes], node_points[indices[nodes, places]]])
    angles = angle_of(distances[nodes, places])
    ends, angles = ends[:, ends[0] != ends[1]], angles[ends[0] != ends[1]]
    # Each pair once, at its least angle, whichever end named the other.
    low, high = ends.min(axis=0), ends.max(axis=0)
    order = np.lexsort((angles, high, low))
    low, high, angles = low[order], high[order], angles[order]
    first = np.ones(low.size, bool)
    first[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    low, high, angles = low[first], high[first], angles[first]
    point_count = int(node_points.max(initial=-1)) + 1
    pairs = (np.concatenate([low, high]), np.concatenate([high, low]))
    return coo_array((np.tile(angles, 2), pairs), shape=(point_count,) * 2).tocsr()


def angle_of(distances: float | NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the angles, in radians, that cosine distances stand for.

    Never 0, which no sparse matrix keeps.
    """
    halves = np.clip(np.asarray(distances, np.float64) / 2, 0, 1)
    angles: NDArray[np.float64] = 2 * np.arcsin(np.sqrt(halves))
    return np.maximum(angles, np.finfo(np.float64).tiny)


def _check(
    row_nodes: NDArray[np.int32],
    indices: NDArray[np.int32],
    distances: NDArray[np.float32],
    max_distance: float,
    text_keys: NDArray[np.int64] | None,
) -> None:
    if not 0 <= max_distance <= 2:
        message = "the distance of near-duplicates must be from 0 to 2"
        raise FieldInvalid(message, field="max_distance")
    if row_nodes.ndim != 1 or indices.ndim != 2 or indices.shape != distances.shape:
        raise FieldInvalid("rows, neighbours and distances do not fit together", field="graph")
    for values, field in ((row_nodes, "graph.row_nodes"), (indices, "graph.indices")):
        if values.size and not 0 <= values.min() <= values.max() < len(indices):
            raise FieldInvalid("a node is not one of the graph's", field=field)
    if text_keys is not None and text_keys.shape != row_nodes.shape:
        raise FieldInvalid("there must be as many text keys as rows", field="text_keys")
