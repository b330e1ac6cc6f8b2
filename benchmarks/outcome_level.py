"""What Level keeps of a pool: the plan of ``level balance --budget`` with default settings."""

import numpy as np

from benchmarks.outcome_protocol import Pool, Rows
from levelling.duplicates.near_duplicates import find_near_duplicates
from levelling.plans.material import Material
from levelling.plans.picks import PickTask, Selection
from levelling.plans.plan import make_plan
from levelling.request import LevelRequest
from levelling.selection import select_rows


def pick_by_level(pool: Pool) -> Rows:
    """Cluster, find near-duplicates, plan and select, as the product does."""
    clustering, graph = pool.clustered
    arrays = (graph.node_of_row, graph.indices, graph.distances)
    material = Material(
        labels=tuple(layer.labels for layer in clustering.layers),
        terrain_layer=[layer.is_terrain for layer in clustering.layers].index(True),
        nearest=clustering.layers[0].nearest,
        near_dup_groups=find_near_duplicates(*arrays).groups,
    )

    def select(task: PickTask) -> Selection:
        return select_rows(pool.vectors, arrays, task)

    plan = make_plan(material, LevelRequest(budget=pool.budget, seed=pool.seed), select)
    picked: Rows = np.flatnonzero(plan.copies).astype(np.int64)
    return picked
