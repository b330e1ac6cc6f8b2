"""The solver's problem as a generic convex programme, for Clarabel, an interior point method.

A variable for each size, one for each difference of two and, where rows are chosen, one for each
cost, in units in which the mean size is 1.

References
----------
Goulart, P. J. and Chen, Y. (2024). Clarabel: an interior-point solver for conic programs with
quadratic objectives. arXiv:2405.12762.
"""

from __future__ import annotations

from typing import Any

import clarabel
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from levelling.solver import Problem
from levelling.solver.items import Items
from levelling.solver.limits import limits_of

FloatArray = NDArray[np.float64]
_TOLERANCE = 1e-10


def least_squares(problem: Problem, total: float, spread: float) -> FloatArray | None:
    """Return the sizes with a total and at most a spread whose squared weights sum to the least.

    Parameters
    ----------
    problem : Problem
        Its limits are kept, and its target ignored.
    total, spread : float
        As in `levelling.solver.frontier`.

    Returns
    -------
    ndarray of shape (n_clusters,), float64, or None
        None when the tolerance of 1e-10 is not reached.
    """
    items, scale = limits_of(problem).items, problem.cluster_ids.size / total
    rows, right = _linear(items, scale, spread)
    cones = [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(rows.shape[0] - 1)]
    count, pairs = items.count, items.count * (items.count - 1) // 2
    linear = np.zeros(count + pairs)
    quadratic = np.zeros(count + pairs)
    quadratic[:count] = 2.0 / (items.capacity * scale)
    if problem.whole_numbers:
        rows, right = _with_costs(rows, right, items.capacity * scale, pairs)
        cones[1] = clarabel.NonnegativeConeT(rows.shape[0] - 1 - 3 * count)
        cones += [clarabel.SecondOrderConeT(3)] * count
        linear = np.append(linear, np.ones(count))
        quadratic = np.zeros(linear.size)
    sizes = _solve(quadratic, linear, rows, right, cones)
    return None if sizes is None else sizes[:count] / scale


def _linear(items: Items, scale: float, spread: float) -> tuple[Any, FloatArray]:
    """Return rows and right sides: the total, then limits, differences and the spread."""
    count = items.count
    first, second = np.triu_indices(count, 1)
    pairs = first.size
    ones, places = np.ones(pairs), np.arange(pairs)
    apart = sparse.csr_matrix((ones, (places, first)), (pairs, count))
    apart = apart - sparse.csr_matrix((ones, (places, second)), (pairs, count))
    size, gap = sparse.eye(count), sparse.eye(pairs)
    blocks = [
        [sparse.csr_matrix(np.ones((1, count))), None],
        [-size, sparse.csr_matrix((count, pairs))],
        [size, None],
        [apart, -gap],
        [-apart, -gap],
        [None, sparse.csr_matrix(np.ones((1, pairs)))],
    ]
    # Without an upper limit no size can be above the total, which is the count.
    upper = np.minimum(items.upper * scale, 10.0 * count)
    limits = [[float(count)], -items.lower * scale, upper, np.zeros(2 * pairs)]
    right = np.concatenate([*limits, [spread * scale * count]])
    return sparse.bmat(blocks, format="csc"), right


def _with_costs(
    rows: Any, right: FloatArray, capacity: FloatArray, pairs: int
) -> tuple[Any, FloatArray]:
    """Add costs p: ``c <= p``, and ``c^2 / n <= p`` as the cone ``|(2 c, n - p)| <= n + p``."""
    count = capacity.size
    places = np.arange(count)
    rows = sparse.hstack([rows, sparse.csr_matrix((rows.shape[0], count))])
    gaps = sparse.csr_matrix((count, pairs))
    above = sparse.hstack([sparse.eye(count), gaps, -sparse.eye(count)])
    paid = count + pairs + places
    cone = sparse.csr_matrix(
        (
            np.concatenate([-np.ones(count), np.full(count, -2.0), np.ones(count)]),
            (
                np.concatenate([3 * places, 3 * places + 1, 3 * places + 2]),
                np.concatenate([paid, places, paid]),
            ),
        ),
        (3 * count, rows.shape[1]),
    )
    sides = np.stack([capacity, np.zeros(count), capacity], axis=1).ravel()
    stacked = sparse.vstack([rows, above, cone], format="csc")
    return stacked, np.concatenate([right, np.zeros(count), sides])


def _solve(
    quadratic: FloatArray, linear: FloatArray, rows: Any, right: FloatArray, cones: list[Any]
) -> FloatArray | None:
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = _TOLERANCE
    squares = sparse.diags(quadratic, format="csc")
    solved = clarabel.DefaultSolver(squares, linear, rows, right, cones, settings).solve()
    return np.array(solved.x) if str(solved.status) == "Solved" else None
