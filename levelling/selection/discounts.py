"""How much less a row counts, the more rows of its clusters were picked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from levelling.selection.nested_cuts import Cut


class Discounts:
    """A factor for each row: the product over the cuts of (1 + picks in its cluster) ** -exponent.

    Parameters
    ----------
    cuts : sequence of ndarray of shape (n_rows,), int64
        Nested, the coarsest first.
    exponent : float
        At least 0.
    most : int
        How many rows will be picked at most.
    """

    def __init__(self, cuts: Sequence[Cut], exponent: float, most: int) -> None:
        self.factors = np.ones(cuts[0].size)
        self._cuts = cuts
        self._counts = [np.zeros(int(cut.max()) + 1, np.int64) for cut in cuts]
        self._of_count = (1.0 + np.arange(most + 1)) ** -exponent
        # The rows of the coarsest clusters, one cluster after the other.
        self._members = np.argsort(cuts[0], kind="stable")
        self._bounds = np.concatenate([[0], np.cumsum(np.bincount(cuts[0]))])

    def take(self, row: int) -> None:
        """Count a picked row, and bring the factors of its clusters' rows up to date."""
        coarsest = self._cuts[0][row]
        members = self._members[self._bounds[coarsest] : self._bounds[coarsest + 1]]
        factors = np.ones(members.size)
        for cut, counts in zip(self._cuts, self._counts, strict=True):
            counts[cut[row]] += 1
            factors *= self._of_count[counts[cut[members]]]
        self.factors[members] = factors
