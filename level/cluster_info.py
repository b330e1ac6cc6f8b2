"""The clusters of a levelled layer, each with what was found and what was done."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gateway.pipeline_types import ClusterStats
from level.local_dataset import LocalDataset
from levelling.duplicates.near_duplicates import copy_shares
from levelling.plans.plan_types import Plan


@dataclass(frozen=True)
class ClusterInfo:
    """One cluster.

    Attributes
    ----------
    cluster_id : int
    size : int
        Its rows.
    effective_size : float
        What it has in the levelled dataset, in rows.
    weight : float
        `effective_size` divided by `size`.
    spread : float
        Mean cosine distance of its rows to their centre, 0 to 1.
    stability : float, optional
        How well it survives other seeds and samples of the rows, 0 to 1; None when not measured.
    parent_id : int
        The cluster of the next coarser layer that it lies in, -1 when there is none.
    near_duplicate_share : float
        The share of its rows that are copies of others of it, 0 to 1.
    coverage : float, optional
        The share of its rows near a kept row, as `Coverage` has it; None where only weights change.
    exemplar_rows : tuple of int
        Typical rows, most central first.
    """

    cluster_id: int
    size: int
    effective_size: float
    weight: float
    spread: float
    stability: float | None
    parent_id: int
    near_duplicate_share: float
    coverage: float | None
    exemplar_rows: tuple[int, ...]


def describe_clusters(dataset: LocalDataset, plan: Plan) -> tuple[ClusterInfo, ...]:
    """Return the clusters of the layer that a plan levels, by rising id."""
    layer = dataset.clustering.layers[plan.layer]
    shares = copy_shares(dataset.near_dup_groups, layer.labels)
    copies = dict(zip(shares.cluster_ids.tolist(), shares.shares.tolist(), strict=True))
    sizes = dict(zip(plan.cluster_ids.tolist(), plan.sizes_after.tolist(), strict=True))
    covered: dict[int, float] = {}
    if plan.coverage is not None:
        found = np.asarray(plan.coverage.shares, np.float64).tolist()
        covered = dict(zip(plan.coverage.cluster_ids.tolist(), found, strict=True))
    return tuple(
        _describe(one, sizes[one.cluster_id], copies[one.cluster_id], covered.get(one.cluster_id))
        for one in layer.clusters
    )


def _describe(
    cluster: ClusterStats, effective_size: float, copies: float, covered: float | None
) -> ClusterInfo:
    return ClusterInfo(
        cluster_id=cluster.cluster_id,
        size=cluster.size,
        effective_size=effective_size,
        weight=effective_size / cluster.size,
        spread=cluster.spread,
        stability=cluster.stability,
        parent_id=cluster.parent_id,
        near_duplicate_share=copies,
        coverage=covered,
        exemplar_rows=cluster.exemplar_row_ids,
    )
