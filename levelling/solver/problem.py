"""What the solver is asked: clusters, a target and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from levelling.errors import InvalidTarget
from levelling.request import LevelRequest
from levelling.solver.items import FloatArray, IntArray
from levelling.targets import Target, TargetKind


@dataclass(frozen=True, eq=False)
class Problem:
    """Clusters that are to be given effective sizes.

    Rows outside these clusters, noise, have no part in it: with their weights and the total fixed,
    the sizes that are best for the clusters are the best for the dataset.

    Parameters
    ----------
    cluster_ids : ndarray of shape (n_clusters,), int64
        Distinct.
    row_counts : ndarray of shape (n_clusters,), int64
        Rows that may be used, at least 0. A cluster without any has size 0.
    target : Target
        A CUSTOM target may not name other clusters.
    total : float, optional
        The sum of the sizes, above 0; with `row_costs` the sum of their costs. When not given, what
        the clusters have, each within its limits.
    max_repeat : float, optional
        The most that a size may be, in multiples of `base_sizes`, at least 1. Without a limit when
        not given; with `whole_numbers` it is 1 then, and rounded down.
    lower, upper : ndarray of shape (n_clusters,), float64, optional
        Least and greatest sizes; upper may be infinite. Equal ones pin a cluster, before
        `max_repeat`.
    row_costs : ndarray of shape (n_clusters,), float64, optional
        The mean cost, in tokens, of a row of each cluster, above 0.
    whole_numbers : bool
        Whether sizes are counts of rows and their copies; otherwise rows keep all their places
        and are weighted.
    base_sizes : ndarray of shape (n_clusters,), float64, optional
        The size of each cluster at weight 1, when its rows have weights of their own, at most 1;
        `row_counts` when not given. Not with `whole_numbers`.
    sample_sizes : ndarray of shape (n_clusters,), float64, optional
        Kish's effective sample size of each cluster's rows by themselves; `row_counts` when not
        given. Not with `whole_numbers`.

    Raises
    ------
    InvalidTarget
        If arrays differ in length, ids repeat or are unknown, or a number is out of its range.
    """

    cluster_ids: IntArray
    row_counts: IntArray
    target: Target = field(default_factory=Target)
    total: float | None = None
    max_repeat: float | None = None
    lower: FloatArray | None = None
    upper: FloatArray | None = None
    row_costs: FloatArray | None = None
    whole_numbers: bool = False
    base_sizes: FloatArray | None = None
    sample_sizes: FloatArray | None = None

    def __post_init__(self) -> None:
        """Refuse what is no problem at all."""
        self._check_arrays()
        if np.unique(self.cluster_ids).size != self.cluster_ids.size:
            raise InvalidTarget("a cluster id comes twice", field="cluster_ids")
        if self.total is not None and not 0 < self.total < np.inf:
            raise InvalidTarget("the total must be a number above 0", field="total")
        if self.max_repeat is not None and not 1 <= self.max_repeat < np.inf:
            raise InvalidTarget("max_repeat must be a number of at least 1", field="max_repeat")
        if self.whole_numbers and not (self.base_sizes is None and self.sample_sizes is None):
            message = "rows that are chosen or not have no weights of their own"
            raise InvalidTarget(message, field="whole_numbers")
        check_known(self.target.shares, self.cluster_ids, "target.shares")

    def _check_arrays(self) -> None:
        _check(self, "row_counts", 0, np.inf)
        _check(self, "lower", 0, np.inf)
        _check(self, "upper", 0, np.inf, may_be_infinite=True)
        _check(self, "row_costs", np.finfo(np.float64).tiny, np.inf)
        _check(self, "base_sizes", 0, np.inf)
        _check(self, "sample_sizes", 0, np.inf)
        if self.lower is not None and self.upper is not None:
            crossed = self.lower > self.upper
            if crossed.any():
                cluster_id = int(self.cluster_ids[int(crossed.argmax())])
                message = f"the least size of cluster {cluster_id} is above its greatest"
                raise InvalidTarget(message, field="lower")

    @property
    def sizes_at_one(self) -> FloatArray:
        """The size of each cluster at weight 1, float64."""
        return np.asarray(
            self.row_counts if self.base_sizes is None else self.base_sizes, np.float64
        )

    @property
    def repeat_limit(self) -> float:
        """The most that a row may count, infinite when there is no limit."""
        if not self.whole_numbers:
            return np.inf if self.max_repeat is None else self.max_repeat
        return 1.0 if self.max_repeat is None else float(np.floor(self.max_repeat))

    def shares(self) -> FloatArray | None:
        """Return what the sizes are to be in proportion to; None where a flatness is asked for."""
        kind = self.target.kind
        if kind is TargetKind.UNIFORM:
            return np.where(self.sizes_at_one > 0, 1.0, 0.0)
        if kind is TargetKind.TEMPERED:
            sizes = self.sizes_at_one
            exponent = self.target.value or 0.0
            return np.where(sizes > 0, np.maximum(sizes, np.finfo(float).tiny) ** exponent, 0.0)
        if kind is TargetKind.CUSTOM:
            shares = self.target.shares
            return np.array([shares.get(int(one), 0.0) for one in self.cluster_ids])
        return None


def make_problem(
    request: LevelRequest,
    cluster_ids: ArrayLike,
    row_counts: ArrayLike,
    *,
    total: float | None = None,
    row_costs: FloatArray | None = None,
    base_sizes: FloatArray | None = None,
    sample_sizes: FloatArray | None = None,
) -> Problem:
    """Return the problem that a request makes of the clusters of one layer.

    A pin holds before floors and ceilings, and those of single clusters before those of all. A
    cluster that cannot reach a floor, because it has too few rows for the repeats that are
    allowed, has what it can reach as its floor.

    Parameters
    ----------
    request : LevelRequest
        Its target, mode, max_repeat, pins, floors and ceilings are used.
    cluster_ids, row_counts, total, row_costs, base_sizes, sample_sizes
        As in `Problem`.

    Returns
    -------
    Problem

    Raises
    ------
    InvalidTarget
        If the request names a cluster that there is not, or a floor is above a ceiling.
    """
    ids = np.asarray(cluster_ids, np.int64)
    counts = np.asarray(row_counts, np.int64)
    for name in ("pinned", "floors", "ceilings"):
        check_known(getattr(request, name), ids, name)
    bare = Problem(ids, counts, base_sizes=base_sizes, sample_sizes=sample_sizes)
    repeats = Problem(
        ids, counts, max_repeat=request.max_repeat, whole_numbers=request.chooses_rows
    ).repeat_limit
    reach = bare.sizes_at_one * repeats if np.isfinite(repeats) else np.full(ids.size, np.inf)
    reach = np.where(bare.sizes_at_one > 0, reach, 0.0)
    lower = np.minimum(_for_each(ids, request.floors, request.floor, 0.0), reach)
    upper = _for_each(ids, request.ceilings, request.ceiling, np.inf)
    for place in np.flatnonzero(np.isin(ids, list(request.pinned))):
        pinned = request.pinned[int(ids[place])] * bare.sizes_at_one[place]
        # A subnormal number is as good as 0, and a trap for later arithmetic.
        lower[place] = upper[place] = pinned if pinned >= np.finfo(np.float64).tiny else 0.0
    return Problem(
        cluster_ids=ids,
        row_counts=counts,
        target=request.target,
        total=total,
        max_repeat=request.max_repeat,
        lower=lower,
        upper=upper,
        row_costs=row_costs,
        whole_numbers=request.chooses_rows,
        base_sizes=base_sizes,
        sample_sizes=sample_sizes,
    )


def check_known(named: Mapping[int, float], cluster_ids: IntArray, field_name: str) -> None:
    """Refuse a mapping that names a cluster that there is not.

    Raises
    ------
    InvalidTarget
        With the id and the field.
    """
    known = set(cluster_ids.tolist())
    unknown = [cluster_id for cluster_id in named if cluster_id not in known]
    if unknown:
        message = f"{field_name} names cluster {unknown[0]}, which this layer does not have"
        raise InvalidTarget(message, field=field_name, cluster_id=unknown[0])


def _for_each(
    ids: IntArray, single: Mapping[int, float], common: float | None, otherwise: float
) -> FloatArray:
    default = otherwise if common is None else common
    return np.array([single.get(int(one), default) for one in ids], np.float64)


def _check(
    problem: Problem, name: str, least: float, most: float, *, may_be_infinite: bool = False
) -> None:
    values: NDArray[np.float64] | IntArray | None = getattr(problem, name)
    if values is None:
        return
    if values.shape != problem.cluster_ids.shape or values.ndim != 1:
        raise InvalidTarget(f"there must be as many {name} as clusters", field=name)
    bad = np.isnan(values) | (values < least) | (values > most)
    if not may_be_infinite:
        bad |= ~np.isfinite(values)
    if bad.any():
        cluster_id = int(problem.cluster_ids[int(bad.argmax())])
        message = f"the {name} of cluster {cluster_id} must be a number of at least {least:g}"
        raise InvalidTarget(message, field=name, cluster_id=cluster_id)
