"""A held-out part that shares no near-duplicates with what is trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from levelling.duplicates.nearest_rows import nearest_rows
from levelling.request import NEAR_DUPLICATE_DISTANCE

HOLD_OUT_DISTANCE = NEAR_DUPLICATE_DISTANCE
"""No held-out row is within this cosine distance of a row that is trained on.

It is the same for every levelling, so that proofs of several test on the same rows.
"""


def split_by_groups(
    classes: NDArray[np.int64],
    groups: NDArray[np.int64],
    test_share: float,
    generator: np.random.Generator,
) -> NDArray[np.bool_]:
    """Return which rows are held out: whole groups, about the same share of every class.

    A group belongs to the class that most of its rows have. In random order, a class's groups go
    to the held-out part as long as that brings its rows nearer to the share. A class with two
    groups or more has rows in both parts; a class with one is only trained on.

    Parameters
    ----------
    classes : ndarray of shape (n_rows,), int64
        From 0.
    groups : ndarray of shape (n_rows,), int64
        Equal for near-duplicates.
    test_share : float
        Above 0 and at most 0.5.
    generator : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_rows,), bool
        No group has rows on both sides.
    """
    _, group_of_row, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    owners = _majority_classes(classes, group_of_row)
    is_test = np.zeros(len(sizes), dtype=np.bool_)
    shuffled = generator.permutation(len(sizes))
    # Stable: the groups of a class stay in random order.
    ordered = shuffled[np.argsort(owners[shuffled], kind="stable")]
    for own in np.split(ordered, np.flatnonzero(np.diff(owners[ordered])) + 1):
        if len(own) > 1:
            is_test[own] = _take_share(sizes[own], test_share)
    held_out: NDArray[np.bool_] = is_test[group_of_row]
    return held_out


def drop_near_duplicates(
    vectors: NDArray[np.float32], train: NDArray[np.int64], test: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the held-out rows that are farther than `HOLD_OUT_DISTANCE` from every training row.

    Groups are found in a graph of few neighbours of each row, so they miss pairs: here every pair
    is compared.

    Parameters
    ----------
    vectors : ndarray of shape (n_rows, n_dimensions), float32
        Of unit length.
    train, test : ndarray of int64
        Row numbers.
    """
    _, distances = nearest_rows(vectors[train], vectors[test])
    apart: NDArray[np.int64] = test[distances > HOLD_OUT_DISTANCE]
    return apart


def _take_share(sizes: NDArray[np.int64], share: float) -> NDArray[np.bool_]:
    """Return which groups of a class are held out: at least one, and never all."""
    wanted = share * float(sizes.sum())
    taken = np.zeros(len(sizes), dtype=np.bool_)
    total = 0.0
    for index, size in enumerate(sizes.tolist()):
        if total + size / 2 <= wanted:
            taken[index] = True
            total += size
    if not taken.any():
        taken[int(sizes.argmin())] = True
    return taken


def _majority_classes(
    classes: NDArray[np.int64], group_of_row: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the most frequent class of each group, of several the lowest."""
    pairs, counts = np.unique(np.stack([group_of_row, classes]), axis=1, return_counts=True)
    # By group, the largest count last; the lowest class last among equals.
    order = np.lexsort((-pairs[1], counts, pairs[0]))
    owners = np.empty(int(group_of_row.max()) + 1, dtype=np.int64)
    owners[pairs[0, order]] = pairs[1, order]
    return owners
