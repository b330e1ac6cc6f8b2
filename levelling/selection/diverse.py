"""Diverse rows: each pick covers what is not covered yet, in clusters that have few picks.

The objective is facility location: the sum over all rows of their similarity to the most similar
picked row. It is monotone and submodular, so picking the row with the largest gain again and again
reaches at least 63 % of the best that any so many rows reach (Nemhauser, Wolsey and Fisher 1978);
as a measure of how well some texts stand for all it goes back to Lin and Bilmes (2011). By itself
it still gives large topics more rows than small ones, and topics of varied wording most.

Ours is what a gain is multiplied by: (1 + picks in the row's cluster) ** -1/4 for each of four cuts
of a complete-linkage tree, which have a tenth, a fifth, 35 % and half as many clusters as rows are
picked. So picks even out over clusters, coarse and fine, without quotas: no single granularity has
to be right, and a cluster that has nothing more to cover is left. No guarantee is known for the
product. It was chosen among many by what models learn from the picked rows, see docs/outcome.md.

References
----------
Nemhauser, G., Wolsey, L. and Fisher, M. (1978). An analysis of approximations for maximizing
submodular set functions. Mathematical Programming 14, 265-294.

Lin, H. and Bilmes, J. (2011). A class of submodular functions for document summarization. ACL,
510-520.

Mirzasoleiman, B. et al. (2013). Distributed submodular maximization: identifying representative
elements in massive data. NIPS 26.

Defays, D. (1977). An efficient algorithm for a complete link method. The Computer Journal 20(4),
364-366.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from levelling.selection.choice import Choice, Report, Rows
from levelling.selection.discounts import Discounts
from levelling.selection.greedy import pick_greedily
from levelling.selection.neighborhoods import Neighborhoods, compare_all, compare_in_blocks
from levelling.selection.nested_cuts import cut_trees
from levelling.selection.projection import project

DENSE_ROWS = 4000
"""Up to so many candidates, each is compared with each other."""

CLUSTERS_PER_PICK = (0.1, 0.2, 0.35, 0.5)
EXPONENT = 0.25

_SHORTLIST = 6  # rows in a first round for each that is wanted; fewer would leave too little choice
_COMPARED = 0.5  # the share of progress when the rows are compared


def pick_diverse(
    choice: Choice,
    vectors: NDArray[np.float32],
    report: Report,
    dense_rows: int = DENSE_ROWS,
) -> Rows:
    """Return rows that cover all rows of the choice, evenly over clusters.

    The similarity of two rows is the mean of two cosines: of their vectors, and on the 64 leading
    principal axes. Up to `dense_rows` candidates all pairs are compared. Above that, rows are
    parted into blocks of about 600 similar ones: linkage stays inside blocks, with one height for
    all of them, and a row is similar to its 15 nearest of the block, and to those that it is among
    the 15 nearest of, alone. Where so few rows are
    wanted that blocks get hardly one each, `dense_rows` are picked in this way first, and then
    the wanted ones of them, each compared with each other: two rounds, as in Mirzasoleiman et al.
    (2013).

    Parameters
    ----------
    choice : Choice
    vectors : ndarray of shape (n_rows, n_dimensions), float32
        Of all rows of the dataset.
    report : callable
    dense_rows : int

    Returns
    -------
    ndarray of shape (budget,), int64
        Row numbers, in the order in which they were picked. Of rows that are as good as each
        other the lowest.
    """
    projected = project(vectors, choice.rows)
    if choice.rows.size > dense_rows >= choice.budget * _SHORTLIST:
        first = _widen(choice, dense_rows / max(choice.budget, 1))
        kept = np.sort(_pick_in_blocks(first, projected, report))
        places = np.searchsorted(choice.rows, kept)
        choice = replace(choice, rows=kept, slots=choice.slots[places])
        projected = projected[places]
    elif choice.rows.size > dense_rows:
        return _pick_in_blocks(choice, projected, report)
    return _pick(choice, compare_all(projected), lambda fraction: None)


def _widen(choice: Choice, factor: float) -> Choice:
    """Return a choice of so many times the rows, or all that a slot has."""
    if choice.counts is None:
        return replace(choice, budget=min(int(choice.budget * factor), choice.rows.size))
    available = np.bincount(choice.slots, minlength=choice.counts.size)
    counts = np.minimum(np.ceil(choice.counts * factor).astype(np.int64), available)
    return replace(choice, counts=counts, budget=int(counts.sum()))


def _pick_in_blocks(choice: Choice, projected: NDArray[np.float32], report: Report) -> Rows:
    def report_comparing(fraction: float) -> None:
        report(_COMPARED * fraction)

    def report_picking(fraction: float) -> None:
        report(_COMPARED + (1 - _COMPARED) * fraction)

    near = compare_in_blocks(projected, report_comparing)
    return _pick(choice, near, report_picking)


def _pick(choice: Choice, near: Neighborhoods, report: Report) -> Rows:
    counts = [max(int(share * choice.budget), 1) for share in CLUSTERS_PER_PICK]
    discounts = Discounts(cut_trees(near.trees, counts), EXPONENT, choice.budget)
    ordered = replace(choice, rows=choice.rows[near.order], slots=choice.slots[near.order])
    return ordered.rows[pick_greedily(ordered, near.cover, discounts, near.starts, report)]
