"""The rows that a levelling may keep, when noise and near-duplicates are dealt with."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from levelling.duplicates.keepers import find_keepers, rank_rows
from levelling.groups import NOISE_ID
from levelling.plans.material import Material
from levelling.plans.noise import apply_noise_policy, noise_limit
from levelling.plans.reasons import Reason
from levelling.request import (
    DuplicateKind,
    DuplicatePolicy,
    KeepStrategy,
    LevelRequest,
    NoisePolicy,
)

_NOISE_STREAM = 1  # of the seed, apart from other choices


@dataclass(frozen=True, eq=False)
class Pool:
    """Rows by slot, the clusters of the levelled layer and then noise, and what counts as one.

    A unit is what counts as one row: a row; or, where near-duplicates are discounted, those rows of
    a slot that are in one group.

    Parameters
    ----------
    cluster_ids : ndarray of shape (n_clusters,), int64
        The clusters of the layer, those included that have no candidate.
    slots : ndarray of shape (n_rows,), int32
        The place in `cluster_ids` of each row's cluster, ``n_clusters`` for noise.
    reasons : ndarray of shape (n_rows,), uint8
        `Reason.KEPT` for candidates, and for the others what they were dropped for.
    units : ndarray of shape (n_rows,), int64
        The unit of each row; equal for candidates of one unit.
    ranks : ndarray of shape (n_rows,), int64
        In which order the rows of a unit or a group are kept, lowest first.
    """

    cluster_ids: NDArray[np.int64]
    slots: NDArray[np.int32]
    reasons: NDArray[np.uint8]
    units: NDArray[np.int64]
    ranks: NDArray[np.int64]

    @property
    def candidates(self) -> NDArray[np.bool_]:
        """The rows that may be kept; bool array of shape (n_rows,)."""
        kept: NDArray[np.bool_] = self.reasons == Reason.KEPT
        return kept

    @property
    def noise_slot(self) -> int:
        """The slot of noise, the last."""
        return self.cluster_ids.size

    @property
    def labels(self) -> NDArray[np.int32]:
        """The cluster of each row after the noise policy; int32 array of shape (n_rows,)."""
        return np.append(self.cluster_ids, NOISE_ID)[self.slots].astype(np.int32)

    def heads(self) -> NDArray[np.bool_]:
        """Return one candidate of each unit, the one that is kept first; bool (n_rows,)."""
        return find_keepers(self.units, self.ranks, self.candidates)

    def count_rows(self) -> NDArray[np.int64]:
        """Return the candidates of each slot; int64 array of shape (n_slots,)."""
        return np.bincount(self.slots[self.candidates], minlength=self.noise_slot + 1)

    def count_units(self) -> NDArray[np.int64]:
        """Return the units of each slot; int64 array of shape (n_slots,)."""
        return np.bincount(self.slots[self.heads()], minlength=self.noise_slot + 1)

    def row_shares(self) -> NDArray[np.float64]:
        """Return what part of its unit each candidate is, 0 for other rows; float64 (n_rows,)."""
        candidates = self.candidates
        _, unit, sizes = np.unique(self.units[candidates], return_inverse=True, return_counts=True)
        shares = np.zeros(candidates.size)
        shares[candidates] = 1.0 / sizes[unit]
        return shares

    def without(self, rows: NDArray[np.int64], reason: Reason) -> Pool:
        """Return the pool without some rows."""
        reasons = self.reasons.copy()
        reasons[rows] = reason
        return replace(self, reasons=reasons)


def fill_pool(material: Material, request: LevelRequest, layer: int) -> Pool:
    """Return the rows that may be kept, by the request's policies.

    In this order: noise is dropped or assigned; of near-duplicates one stays, a row in a cluster
    before noise; where weights are changed, noise is then capped. Rows that are picked are capped
    when it is known how many others there are.

    Raises
    ------
    InvalidTarget
        If a policy needs an array that the material has not.
    """
    labels, dropped = apply_noise_policy(material, request.noise, layer)
    cluster_ids = material.cluster_ids(layer)
    slots = np.where(labels == NOISE_ID, cluster_ids.size, np.searchsorted(cluster_ids, labels))
    pool = Pool(
        cluster_ids=cluster_ids,
        slots=slots.astype(np.int32),
        reasons=np.where(dropped, Reason.NOISE, Reason.KEPT).astype(np.uint8),
        units=np.arange(material.row_count, dtype=np.int64),
        ranks=_rank(material, request.duplicates, labels),
    )
    pool = _apply_duplicate_policy(pool, material, request.duplicates)
    return pool if request.chooses_rows else cap_noise(pool, request.noise, request.seed)


def cap_noise(pool: Pool, policy: NoisePolicy, seed: int, budget: int | None = None) -> Pool:
    """Return the pool with no more noise than its share of the kept rows may be.

    Which of the noise stays is drawn at random, so that what stays is like what was there.

    Parameters
    ----------
    budget : int, optional
        How many rows are kept in all, where not all candidates are.
    """
    if policy.share is None:
        return pool
    noise = np.flatnonzero(pool.candidates & (pool.slots == pool.noise_slot))
    clustered = int(pool.count_rows()[:-1].sum())
    limit = noise_limit(policy.share, clustered, budget)
    order = np.random.default_rng((_NOISE_STREAM, seed)).permutation(noise)
    return pool.without(order[limit:], Reason.NOISE)


def _rank(
    material: Material, policy: DuplicatePolicy, labels: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Return the order in which rows are kept: those in a cluster before noise."""
    rows = np.arange(material.row_count)
    if material.near_dup_groups is None:
        return rows
    lengths = None
    if policy.keep is KeepStrategy.LONGEST:
        lengths = material.needed("row_lengths", "duplicates.keep")
    ranks = rank_rows(material.near_dup_groups, policy.keep, lengths, material.centroid_distances)
    order = np.lexsort((ranks, labels == NOISE_ID))
    ranks[order] = rows
    return ranks


def _apply_duplicate_policy(pool: Pool, material: Material, policy: DuplicatePolicy) -> Pool:
    if policy.kind is DuplicateKind.KEEP:
        return pool
    groups = material.needed("near_dup_groups", "duplicates.kind")
    if policy.kind is DuplicateKind.DROP:
        kept = find_keepers(groups, pool.ranks, pool.candidates)
        return pool.without(np.flatnonzero(pool.candidates & ~kept), Reason.NEAR_DUPLICATE)
    return replace(pool, units=pool.slots.astype(np.int64) * groups.size + groups)
