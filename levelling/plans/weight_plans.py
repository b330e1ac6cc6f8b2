"""Plans that keep every row that may be kept, and change what it counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from levelling.groups import NOISE_ID
from levelling.plans.pool import Pool
from levelling.plans.prepared import Prepared
from levelling.plans.row_quotas import clusters_alone
from levelling.request import LevelRequest, Mode
from levelling.solver import Problem, make_problem, solve


def prepare_weights(prepared: Prepared) -> Prepared:
    """Return the plan with the weight of every row.

    That of its cluster, times its part of its unit: of n near-duplicates that are discounted each
    counts 1/n. Noise has weight 1 unless it is pinned.
    """
    request, pool = prepared.request, prepared.pool
    problem = weights_problem(request, pool)
    solution = solve(problem)
    by_slot = np.append(solution.weights, 1.0)
    for place, cluster_id in enumerate((*pool.cluster_ids.tolist(), NOISE_ID)):
        # Sizes over rows are weights to within rounding; a pin is exact.
        by_slot[place] = request.pinned.get(cluster_id, by_slot[place])
    weights = by_slot[pool.slots] * pool.row_shares()
    return replace(prepared, problem=problem, solution=solution, weights=weights)


def weights_problem(request: LevelRequest, pool: Pool) -> Problem:
    """Return what the solver is asked for weights: the clusters' sizes count units."""
    shares = pool.row_shares()
    slot_count = pool.noise_slot + 1
    squares = np.bincount(pool.slots, weights=shares**2, minlength=slot_count)
    units = pool.count_units().astype(np.float64)
    sample_sizes = np.divide(units**2, squares, out=np.zeros(slot_count), where=squares > 0)
    weighed = replace(request, mode=Mode.WEIGHTS, budget=None)
    return make_problem(
        clusters_alone(weighed, request.max_repeat),
        pool.cluster_ids,
        pool.count_rows()[:-1],
        base_sizes=units[:-1],
        sample_sizes=sample_sizes[:-1],
    )
