"""Rows that say the same: groups of near-duplicates, from the neighbour graph and from texts.

Two rows are alike when their vectors are within a cosine distance, or their normalised texts are
equal. Being alike goes on from row to row, and a long enough chain of it joins what nobody would
call copies. So a group is not a chain but a star: rows around one of them, the central row, each
within the distance of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from levelling.duplicates.alike import angle_of, find_alike
from levelling.duplicates.stars import find_stars
from levelling.groups import NOISE_ID
from levelling.request import NEAR_DUPLICATE_DISTANCE


@dataclass(frozen=True, eq=False)
class NearDuplicates:
    """Which rows are copies of each other.

    Parameters
    ----------
    groups : ndarray of shape (n_rows,), int32
        The id of each row's group: the number of the group's central row, which is in the group. A
        row without near-duplicates is a group of its own.
    max_distance : float
        The cosine distance that the groups were found with, 0 to 2.
    """

    groups: NDArray[np.int32]
    max_distance: float

    @cached_property
    def sizes(self) -> NDArray[np.int32]:
        """Of each row, how many rows its group has; int32 array of shape (n_rows,)."""
        sizes = np.bincount(self.groups, minlength=self.groups.size)
        return sizes[self.groups].astype(np.int32)

    @property
    def group_count(self) -> int:
        """How many groups there are, those of one row included."""
        return int(np.count_nonzero(self.groups == np.arange(self.groups.size)))

    @property
    def copy_count(self) -> int:
        """How many rows would go if one of each group stayed."""
        return self.groups.size - self.group_count


def find_near_duplicates(
    row_nodes: NDArray[np.int32],
    indices: NDArray[np.int32],
    distances: NDArray[np.float32],
    max_distance: float = NEAR_DUPLICATE_DISTANCE,
    text_keys: NDArray[np.int64] | None = None,
) -> NearDuplicates:
    """Return groups of near-duplicates from the neighbour graph, without a look at a vector.

    Greedy stars: the row that has most rows around it, within `max_distance`, becomes the centre
    of a group and takes those that are in no group yet; then the next. Rows of one vector, and
    rows of one text, are one point that is never parted.

    The graph holds few neighbours of each row, fewer than a template has variants. So a star also
    takes rows that it reaches over others, as long as the angles of the way sum up to at most the
    angle of `max_distance`: angles obey the triangle inequality, so such a row is within
    `max_distance` of the centre whether or not the graph says so.

    Parameters
    ----------
    row_nodes : ndarray of shape (n_rows,), int32
        The node of each row; rows with identical vectors share one.
    indices : ndarray of shape (n_nodes, k), int32
        The nearest neighbours of each node.
    distances : ndarray of shape (n_nodes, k), float32
        Their cosine distances, 0 to 2.
    max_distance : float
        How far from the central row a row of its group may be, 0 to 2; 0 finds rows with equal
        vectors alone, and rows with equal texts.
    text_keys : ndarray of shape (n_rows,), int64, optional
        Equal numbers for equal texts, as `text_keys` gives them. Rows with equal ones are
        near-duplicates at any distance.

    Returns
    -------
    NearDuplicates
        Which rows are together does not depend on the order of the rows, as long as the numbers
        of the nodes do not.

    Raises
    ------
    FieldInvalid
        If the arrays do not fit together or the distance is out of range.

    References
    ----------
    Aslam, J., Pelekhov, E. and Rus, D. (2004). The star clustering algorithm for static and dynamic
    information organization. Journal of Graph Algorithms and Applications 8(1), 95-129.
    """
    alike = find_alike(row_nodes, indices, distances, max_distance, text_keys)
    centres = find_stars(alike.angles, alike.row_counts, float(angle_of(max_distance)))
    return NearDuplicates(alike.first_rows[centres][alike.row_points], float(max_distance))


def near_duplicate_chains(
    row_nodes: NDArray[np.int32],
    indices: NDArray[np.int32],
    distances: NDArray[np.float32],
    max_distance: float = NEAR_DUPLICATE_DISTANCE,
    text_keys: NDArray[np.int64] | None = None,
) -> NDArray[np.int32]:
    """Return for each row the lowest row that a chain of near-duplicates joins it to.

    For splits: when no chain is cut, no near-duplicate that the graph knows of is on both sides.
    As groups of copies they are too wide, see `find_near_duplicates`, whose parameters these are.

    Returns
    -------
    ndarray of shape (n_rows,), int32
        Its own number for a row without near-duplicates.

    Raises
    ------
    FieldInvalid
        If the arrays do not fit together or the distance is out of range.
    """
    alike = find_alike(row_nodes, indices, distances, max_distance, text_keys)
    count, chains = connected_components(alike.angles, directed=False)
    lowest = np.full(count, row_nodes.size, np.int32)
    np.minimum.at(lowest, chains, alike.first_rows)
    found: NDArray[np.int32] = lowest[chains][alike.row_points]
    return found


@dataclass(frozen=True, eq=False)
class CopyShares:
    """How much of each cluster is copies.

    Parameters
    ----------
    cluster_ids : ndarray of shape (n_clusters,), int64
        Rising; noise is not among them.
    row_counts, group_counts : ndarray of shape (n_clusters,), int64
        The rows of each cluster, and how many groups of near-duplicates they are in. A group that
        lies in several clusters counts in each.
    """

    cluster_ids: NDArray[np.int64]
    row_counts: NDArray[np.int64]
    group_counts: NDArray[np.int64]

    @property
    def shares(self) -> NDArray[np.float64]:
        """The share of rows beyond the first of their group, 0 to 1; float64 (n_clusters,)."""
        return 1.0 - self.group_counts / np.maximum(self.row_counts, 1)


def copy_shares(groups: NDArray[np.int32], labels: NDArray[np.int32]) -> CopyShares:
    """Return how much of each cluster is copies.

    Parameters
    ----------
    groups : ndarray of shape (n_rows,), int32
        The group of near-duplicates of each row.
    labels : ndarray of shape (n_rows,), int32
        The cluster of each row, -1 for noise.
    """
    hills = labels != NOISE_ID
    pairs = np.unique(np.stack([labels[hills], groups[hills]]).astype(np.int64), axis=1)
    ids, row_counts = np.unique(labels[hills].astype(np.int64), return_counts=True)
    group_counts = np.bincount(np.searchsorted(ids, pairs[0]), minlength=ids.size)
    return CopyShares(ids, row_counts.astype(np.int64), group_counts.astype(np.int64))
