"""The sizes of finer clusters from those of the clusters they lie in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from levelling.errors import InvalidTarget
from levelling.solver.fill import fill_to_total
from levelling.solver.items import FloatArray, IntArray, Items
from levelling.solver.whole import round_sizes


def share_out(
    parent_sizes: FloatArray,
    parents: NDArray[np.integer],
    row_counts: NDArray[np.integer],
    max_repeat: float | None = None,
    *,
    whole_numbers: bool = False,
    shares: FloatArray | None = None,
) -> FloatArray | IntArray:
    """Return the sizes of clusters that share their parent's, in proportion to their own.

    In proportion, all rows of a parent weigh the same: the sizes that cost least. What a cluster
    cannot hold, because its rows would be repeated too often, goes to its siblings.

    Parameters
    ----------
    parent_sizes : ndarray of shape (n_parents,), float64
        Effective sizes, at least 0.
    parents : ndarray of shape (n_clusters,), int
        Of each cluster, the index of its parent in `parent_sizes`.
    row_counts : ndarray of shape (n_clusters,), int
        Rows that may be used.
    max_repeat : float, optional
        The most that a size may be in multiples of its rows; without a limit when not given.
    whole_numbers : bool
        Whether the sizes are counts; parents' sizes are rounded then, and max_repeat down.
    shares : ndarray of shape (n_clusters,), float64, optional
        What the sizes are in proportion to; `row_counts` when not given.

    Returns
    -------
    ndarray of shape (n_clusters,), float64, or int64 with ``whole_numbers``
        The children of each parent sum to its size, or to all that they can hold.

    Raises
    ------
    InvalidTarget
        If arrays differ in length, or a size, count, share or parent is out of range.
    """
    counts = row_counts.astype(np.float64)
    wanted = counts if shares is None else shares
    _check(parent_sizes, parents, counts, wanted)
    limit = None if max_repeat is None else float(max_repeat)
    if limit is not None and whole_numbers:
        limit = float(np.floor(limit))
    reach = np.where(counts > 0, np.inf, 0.0) if limit is None else counts * limit
    sizes = np.zeros(counts.size)
    order = np.argsort(parents, kind="stable")
    ends = np.searchsorted(parents[order], np.arange(parent_sizes.size + 1))
    for parent in range(parent_sizes.size):
        children = order[ends[parent] : ends[parent + 1]]
        if children.size:
            sizes[children] = _share(
                float(parent_sizes[parent]), wanted[children], reach[children], whole_numbers
            )
    return sizes.astype(np.int64) if whole_numbers else sizes


def _share(total: float, wanted: FloatArray, reach: FloatArray, whole: bool) -> FloatArray:
    total = float(np.rint(total)) if whole else total
    none = np.zeros(wanted.size)
    # What nobody has a share of, or room for, is not given.
    room = np.where(wanted > 0, reach, 0.0)
    sizes = fill_to_total(np.where(room > 0, wanted, 0.0), none, room, total)
    if not whole:
        return sizes
    items = Items(np.maximum(wanted, 1.0), none, room)
    return round_sizes(sizes, items, round(float(sizes.sum())), level=False).astype(np.float64)


def _check(
    parent_sizes: FloatArray,
    parents: NDArray[np.integer],
    counts: FloatArray,
    wanted: FloatArray,
) -> None:
    if not parents.shape == counts.shape == wanted.shape:
        raise InvalidTarget("there must be as many parents and shares as row counts")
    if parents.size and not 0 <= parents.min() <= parents.max() < parent_sizes.size:
        raise InvalidTarget("a cluster names a parent that there is not", field="parents")
    for name, values in (
        ("parent_sizes", parent_sizes),
        ("row_counts", counts),
        ("shares", wanted),
    ):
        if not np.isfinite(values).all() or (values < 0).any():
            raise InvalidTarget(f"{name} must be finite numbers of at least 0", field=name)
