"""The sizes that were found, in figures and in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from levelling.measures import compute_gini_coefficient, effective_clusters, flatness
from levelling.solver.items import FloatArray, IntArray
from levelling.solver.limits import Limits
from levelling.solver.problem import Problem

_MOST_NAMED = 5
# Relative: sizes this close to a limit are at it.
_AT = 1e-9


@dataclass(frozen=True, eq=False)
class Solution:
    """Sizes of clusters, and what they come to.

    Parameters
    ----------
    cluster_ids : ndarray of shape (n_clusters,), int64
        As in the problem.
    sizes : ndarray of shape (n_clusters,), float64
        Effective sizes; equal to `counts` where there are any.
    weights : ndarray of shape (n_clusters,), float64
        Sizes over the sizes at weight 1, 0 for an empty cluster.
    counts : ndarray of shape (n_clusters,), int64, optional
        How many rows of each, copies included; with ``whole_numbers`` only.
    unmet : tuple of str
        Sentences that say what cannot be met, what is nearest, and what would help; empty when
        everything is met. The sizes are then the nearest that can be.
    binding : tuple of str
        Sentences that say which limits hold clusters back.
    gini, flatness, effective_clusters : float
        Of the sizes, see `levelling.measures`.
    effective_sample_size : float
        Kish's, of the rows of these clusters.
    total : float
        The sum of the sizes.
    cost : float, optional
        The sum of their costs, where rows have costs.
    """

    cluster_ids: IntArray
    sizes: FloatArray
    weights: FloatArray
    counts: IntArray | None
    unmet: tuple[str, ...]
    binding: tuple[str, ...]
    gini: float
    flatness: float
    effective_clusters: float
    effective_sample_size: float
    total: float
    cost: float | None

    @property
    def is_met(self) -> bool:
        """Whether the target, the total and every limit are met."""
        return not self.unmet


def describe(
    problem: Problem,
    limits: Limits,
    sizes: FloatArray,
    unmet: tuple[str, ...],
    notes: tuple[str, ...] = (),
) -> Solution:
    """Return the solution that sizes are."""
    base = problem.sizes_at_one
    total = float(sizes.sum())
    cost = squared_weights(problem, limits, sizes)
    return Solution(
        cluster_ids=problem.cluster_ids,
        sizes=sizes,
        weights=np.divide(sizes, base, out=np.zeros(base.size), where=base > 0),
        counts=np.rint(sizes).astype(np.int64) if problem.whole_numbers else None,
        unmet=unmet,
        binding=(*notes, *binding_limits(problem, limits, sizes)),
        gini=compute_gini_coefficient(sizes),
        flatness=flatness(sizes),
        effective_clusters=effective_clusters(sizes),
        effective_sample_size=total**2 / cost if cost > 0 else 0.0,
        total=total,
        cost=None if problem.row_costs is None else float(problem.row_costs @ sizes),
    )


def squared_weights(problem: Problem, limits: Limits, sizes: FloatArray) -> float:
    """Return the sum of squared weights over rows; of whole copies, each as even as can be."""
    if not problem.whole_numbers:
        return limits.items.squares(sizes)
    rows = np.maximum(problem.sizes_at_one, 1.0)
    copies = np.floor(sizes / rows)
    # n rows with a copies each, and c - a n of them one more: squares that rise by 2 a + 1.
    return float((rows * copies**2 + (2 * copies + 1) * (sizes - rows * copies)).sum())


def binding_limits(problem: Problem, limits: Limits, sizes: FloatArray) -> tuple[str, ...]:
    """Return a sentence for each kind of limit that holds clusters, most clusters first."""
    items, occupied = limits.items, problem.sizes_at_one > 0
    slack = _AT * np.maximum(sizes, 1.0)
    high = occupied & ~limits.pinned & (sizes >= items.upper - slack)
    low = occupied & ~limits.pinned & (sizes <= items.lower + slack) & (items.lower > 0)
    repeats = problem.repeat_limit
    most = "all of their rows" if repeats == 1 else f"max_repeat {repeats:g}"
    found = [
        (limits.pinned, "pinned"),
        (high & limits.by_repeats, f"at the limit of {most}"),
        (high & ~limits.by_repeats, "at their ceiling"),
        (low & ~high, "at their floor"),
    ]
    found.sort(key=lambda one: -int(one[0].sum()))
    return tuple(
        f"{name_clusters(problem.cluster_ids, where)} {_are(where)} {what}."
        for where, what in found
        if where.any()
    )


def name_clusters(cluster_ids: IntArray, where: NDArray[np.bool_]) -> str:
    """Return "cluster 3", or "7 clusters (1, 2, 5, 8, 9 and 2 more)"."""
    ids = [str(one) for one in cluster_ids[where].tolist()]
    if len(ids) == 1:
        return f"Cluster {ids[0]}"
    named = ", ".join(ids[:_MOST_NAMED])
    rest = len(ids) - _MOST_NAMED
    return f"{len(ids)} clusters ({named}{f' and {rest} more' if rest > 0 else ''})"


def _are(where: NDArray[np.bool_]) -> str:
    return "is" if int(where.sum()) == 1 else "are"
