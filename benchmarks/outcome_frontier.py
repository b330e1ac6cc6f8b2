"""What an oracle over cluster granularity would give: even picks over a grid of cluster counts.

Nobody knows the best count without labels; the best of the grid bounds what choosing a granularity
can do.
"""

from dataclasses import replace
from functools import partial

from benchmarks.outcome_protocol import Pool, Rows
from benchmarks.outcome_rivals import (
    Picker,
    complete_linkage_clusters,
    even_k_means,
    pick_cover_evenly,
    pick_evenly,
)

# Clusters as a share of the budget.
SHARES = (0.02, 0.05, 0.12, 0.25, 0.35, 0.5, 0.7)


def even_k_means_of(pool: Pool, share: float) -> Rows:
    """Equally many random rows of each of ``share * budget`` k-means clusters."""
    return even_k_means(replace(pool, class_count=_count(pool, share)))


def even_linkage_of(pool: Pool, share: float) -> Rows:
    """Equally many random rows of each of ``share * budget`` complete-linkage clusters."""
    return pick_evenly(complete_linkage_clusters(pool, _count(pool, share)), pool)


def covered_linkage_of(pool: Pool, share: float) -> Rows:
    """Equally many rows of each, those that facility location picks within the cluster."""
    return pick_cover_evenly(complete_linkage_clusters(pool, _count(pool, share)), pool)


def even_layer_of(pool: Pool, depth: int) -> Rows:
    """Equally many random rows of each cluster of a layer of Level's, coarsest first."""
    layers = pool.clustered[0].layers
    return pick_evenly(layers[max(0, len(layers) - 1 - depth)].nearest, pool)


def covered_layer_of(pool: Pool, depth: int) -> Rows:
    """Equally many rows of each, those that facility location picks within the cluster."""
    layers = pool.clustered[0].layers
    return pick_cover_evenly(layers[max(0, len(layers) - 1 - depth)].nearest, pool)


FRONTIER: dict[str, Picker] = {
    **{f"k-means, {x:g} b": partial(even_k_means_of, share=x) for x in SHARES},
    **{f"linkage, {x:g} b": partial(even_linkage_of, share=x) for x in SHARES},
    **{f"linkage, cover, {x:g} b": partial(covered_linkage_of, share=x) for x in SHARES},
    **{f"layer {n} from the top": partial(even_layer_of, depth=n) for n in range(4)},
    **{f"layer {n}, cover": partial(covered_layer_of, depth=n) for n in range(4)},
}
"""By name; "b" is the budget."""


def _count(pool: Pool, share: float) -> int:
    return max(2, round(share * pool.budget))
