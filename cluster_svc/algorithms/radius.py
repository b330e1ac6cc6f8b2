"""Neighbours within a radius, by blocks of matrix products; never all pairs at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cluster_svc.vectors import FloatArray, IntArray, row_blocks


def _within(
    units: FloatArray, rows: NDArray[np.int64], eps: float
) -> Iterator[tuple[slice, NDArray[np.bool_]]]:
    """Yield blocks of ``rows`` and which units lie within eps of each, itself included."""
    for block in row_blocks(len(rows), len(units)):
        chosen = rows[block]
        near = 1 - units[chosen] @ units.T <= np.float32(eps)
        near[np.arange(len(chosen)), chosen] = True
        yield block, near


def count_within(
    units: FloatArray,
    multiplicities: NDArray[np.int64],
    eps: float,
    nodes: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Return the number of rows within eps of each of the nodes, its own included."""
    nodes = np.arange(len(units)) if nodes is None else nodes
    counts = np.empty(len(nodes), np.int64)
    weights = multiplicities.astype(np.float64)
    for block, near in _within(units, nodes, eps):
        counts[block] = np.rint(near @ weights)
    return counts


def link_within(units: FloatArray, is_core: NDArray[np.bool_], eps: float) -> IntArray:
    """Return the connected component of each node when core nodes within eps are linked.

    Each block links components found so far, so that the pairs of one block are all that is held.
    """
    components = np.arange(len(units), dtype=np.int32)
    core = np.flatnonzero(is_core)
    for block, near in _within(units, core, eps):
        heads, tails = np.nonzero(near[:, core])
        edges = (components[core[block]][heads], components[core][tails])
        links = coo_array((np.ones(len(heads), np.int8), edges), shape=(len(units), len(units)))
        components = connected_components(links, directed=False)[1][components].astype(np.int32)
    return components


def first_label_within(
    units: FloatArray, rows: NDArray[np.int64], labels: IntArray, eps: float
) -> IntArray:
    """Return the lowest label from 0 among the nodes within eps of each row, -1 without one."""
    found = np.full(len(rows), -1, np.int32)
    labelled = np.flatnonzero(labels >= 0)
    if len(labelled) == 0:
        return found
    by_label = labelled[np.argsort(labels[labelled], kind="stable")]
    for block, near in _within(units, rows, eps):
        touching = near[:, by_label]
        first = labels[by_label][touching.argmax(axis=1)]
        found[block] = np.where(touching.any(axis=1), first, -1)
    return found
