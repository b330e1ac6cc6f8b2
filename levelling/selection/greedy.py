"""Picks the row that adds most, again and again."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from levelling.selection.choice import Choice, Report, Rows
from levelling.selection.covers import Cover
from levelling.selection.discounts import Discounts

_REPORT_PICKS = 256


def pick_greedily(
    choice: Choice,
    cover: Cover,
    discounts: Discounts,
    starts: NDArray[np.int64],
    report: Report,
) -> Rows:
    """Return the places of the picked rows, in the order in which they were picked.

    The next row is always the one with the largest gain times discount; of equal ones the one
    with the lower row number. A slot closes when it has as many as are wanted.

    All scores are kept up to date. A pick changes those of rows in its own block alone, so the
    best row of every other block is known from before.

    Parameters
    ----------
    choice : Choice
        Its rows one block after the other, rising inside each block.
    cover : Cover
        Of the same rows; no row is similar to one of another block.
    discounts : Discounts
        Of the same rows; no cluster is in two blocks.
    starts : ndarray of shape (n_blocks + 1,), int64
        Where each block starts, and the end.
    report : callable
    """
    board = _Board(choice, cover, discounts, starts)
    left = None if choice.counts is None else choice.counts.copy()
    picked = np.empty(choice.budget, np.int64)
    for turn in range(choice.budget):
        place = picked[turn] = board.take_best()
        slot = choice.slots[place]
        if left is not None:
            left[slot] -= 1
            if left[slot] == 0:
                board.close(choice.slots == slot)
        if turn % _REPORT_PICKS == 0:
            report(turn / choice.budget)
    return picked


class _Board:
    """The scores of all rows, and the best of each block; 0 is the score of what is closed."""

    def __init__(
        self, choice: Choice, cover: Cover, discounts: Discounts, starts: NDArray[np.int64]
    ) -> None:
        self._rows, self._cover, self._discounts = choice.rows, cover, discounts
        self._parts = [slice(*pair) for pair in pairwise(starts.tolist())]
        self._block_of = np.repeat(np.arange(starts.size - 1), np.diff(starts))
        self._is_open = np.ones(choice.rows.size)
        self._top_scores = np.zeros(len(self._parts))
        self._tops = starts[:-1].copy()
        if choice.counts is not None:
            self._is_open[choice.counts[choice.slots] == 0] = 0
        for block in range(len(self._parts)):
            self._refresh(block)

    def take_best(self) -> int:
        """Take the row with the best score, and return its place."""
        (best,) = (self._top_scores == self._top_scores.max()).nonzero()
        place = int(self._tops[best[self._rows[self._tops[best]].argmin()]])
        self._is_open[place] = 0
        self._cover.take(place)
        self._discounts.take(place)
        self._refresh(int(self._block_of[place]))
        return place

    def close(self, closed: NDArray[np.bool_]) -> None:
        """Close rows for good."""
        self._is_open[closed] = 0
        for block in np.unique(self._block_of[closed]).tolist():
            self._refresh(block)

    def _refresh(self, block: int) -> None:
        part = self._parts[block]
        # One unit more, so that rows which add nothing are still told apart by their clusters.
        scores = (self._cover.gains[part] + 1) * self._discounts.factors[part]
        scores *= self._is_open[part]
        best = int(scores.argmax())
        self._top_scores[block] = scores[best]
        self._tops[block] = part.start + best
