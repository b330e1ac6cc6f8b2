"""Clusters at several granularities, from complete linkage inside blocks of rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

Cut = NDArray[np.int64]
"""The cluster of each row, from 0."""


def cut_trees(trees: Sequence[NDArray[np.float64]], cluster_counts: Sequence[int]) -> list[Cut]:
    """Return the clusters of all trees, cut where all together have so many.

    One height for all: a tree of many tight groups gets many clusters and one of close rows few,
    whatever their sizes; there are no quotas.

    Parameters
    ----------
    trees : sequence of ndarray of shape (n_rows_of_block - 1, 4), float64
        Of each block of rows, in SciPy's format.
    cluster_counts : sequence of int
        Rising. Where merges have equal heights there may be fewer clusters, and there is never
        less than one for each tree.

    Returns
    -------
    list of ndarray of shape (n_rows,), int64
        Each cut is finer than the one before it, or equal to it.
    """
    heights = np.sort(np.concatenate([tree[:, 2] for tree in trees]))
    row_count = heights.size + len(trees)
    return [_cut(trees, _height(heights, row_count - count)) for count in cluster_counts]


def link(cosines: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the complete-linkage tree of rows, in SciPy's format; heights are cosine distances.

    Parameters
    ----------
    cosines : ndarray of shape (n_rows, n_rows), float32
    """
    if len(cosines) < 2:
        return np.zeros((0, 4))
    above = np.concatenate([row[place + 1 :] for place, row in enumerate(cosines)])
    distances = np.maximum(1 - above.astype(np.float64), 0)
    tree: NDArray[np.float64] = linkage(distances, "complete")
    return tree


def _height(heights: NDArray[np.float64], merge_count: int) -> float:
    """Return the height up to which so many merges are."""
    merge_count = min(merge_count, heights.size)
    return float(heights[merge_count - 1]) if merge_count > 0 else -1.0


def _cut(trees: Sequence[NDArray[np.float64]], height: float) -> Cut:
    labels, first = [], 0
    for tree in trees:
        own = fcluster(tree, height, "distance") - 1 if len(tree) else np.zeros(1, np.int64)
        labels.append(own.astype(np.int64) + first)
        first += int(own.max()) + 1
    return np.concatenate(labels)
