"""Picks that look at each row alone: the most central ones, or random ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from levelling.selection.choice import Choice, Rows, places_in_slots, take_lowest
from levelling.selection.unit_rows import blocks_of, sum_by, unit_rows


def pick_random(choice: Choice, row_count: int, seed: int) -> Rows:
    """Return rows drawn without repeats, each of a slot as likely as the others.

    Every row of the dataset gets its own draw first, so what is drawn of one slot does not depend
    on how much is wanted of another.

    Parameters
    ----------
    choice : Choice
    row_count : int
        The rows of the dataset.
    seed : int
    """
    return take_lowest(choice, np.random.default_rng(seed).random(row_count)[choice.rows])


def pick_central(choice: Choice, vectors: NDArray[np.float32]) -> Rows:
    """Return the rows with the least cosine distance to the mean direction of their slot.

    Without counts the slots take turns, each with its most central row that is left; otherwise
    the tightest slot would take the whole budget.

    Parameters
    ----------
    choice : Choice
    vectors : ndarray of shape (n_rows, n_dimensions), float32
        Of all rows of the dataset.
    """
    distances = _centroid_distances(choice, vectors)
    if choice.counts is not None:
        return take_lowest(choice, distances)
    order = np.lexsort((distances, choice.slots))
    turns = np.empty(choice.rows.size, np.int64)
    turns[order] = places_in_slots(choice.slots[order])
    return choice.rows[np.lexsort((distances, turns))[: choice.budget]]


def _centroid_distances(choice: Choice, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    slots, places = np.unique(choice.slots, return_inverse=True)
    centroids = np.zeros((slots.size, vectors.shape[1]))
    for part in blocks_of(choice.rows.size):
        rows = unit_rows(vectors, choice.rows[part])
        centroids += sum_by(places[part], rows, slots.size)
    lengths = np.linalg.norm(centroids, axis=1, keepdims=True)
    centroids /= np.where(lengths > 0, lengths, 1)
    distances = np.empty(choice.rows.size)
    for part in blocks_of(choice.rows.size):
        rows = unit_rows(vectors, choice.rows[part])
        distances[part] = 1 - np.einsum("ij,ij->i", rows, centroids[places[part]])
    return distances
