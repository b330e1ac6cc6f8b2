"""What each noise policy would do to every figure of balance, before one is applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from levelling.groups import NOISE_ID
from levelling.measures import Balance
from levelling.plans.material import Material
from levelling.plans.plan_figures import measure_rows
from levelling.plans.pool import fill_pool
from levelling.request import LevelRequest, NoiseKind, NoisePolicy

DEFAULT_NOISE_POLICIES = (
    NoisePolicy(NoiseKind.KEEP),
    NoisePolicy(NoiseKind.CAP, share=0.1),
    NoisePolicy(NoiseKind.ASSIGN),
    NoisePolicy(NoiseKind.DROP),
)
"""One policy of each kind, to compare."""


@dataclass(frozen=True)
class NoiseEffect:
    """What a noise policy does.

    Parameters
    ----------
    policy : NoisePolicy
    dropped, joined : int
        Noise rows that go, and those that join a cluster.
    balance : Balance
        The figures of what is left, as `Plan.after` has them.
    """

    policy: NoisePolicy
    dropped: int
    joined: int
    balance: Balance


def noise_effects(
    material: Material,
    policies: Sequence[NoisePolicy] = DEFAULT_NOISE_POLICIES,
    *,
    layer: int | None = None,
    cluster_weights: Mapping[int, float] | None = None,
    noise_weight: float = 1.0,
    seed: int = 0,
) -> tuple[NoiseEffect, ...]:
    """Return what each policy would do at some weights; nothing else of a levelling is applied.

    Parameters
    ----------
    material : Material
    policies : sequence of NoisePolicy
    layer : int, optional
        The layer whose clusters are measured; the terrain layer when not given.
    cluster_weights : mapping of int to float, optional
        Weights of clusters of that layer, 1 for those that are not named.
    noise_weight : float
        The weight of rows that stay noise.
    seed : int
        Of the draw of rows that a cap keeps, as in the request.

    Raises
    ------
    InvalidTarget
        If there is no such layer, or a policy needs an array that the material has not.
    InvalidGroup
        If a weight is not allowed.
    """
    chosen = material.find_layer(layer)
    weights = {**(cluster_weights or {}), NOISE_ID: noise_weight}
    return tuple(_effect(material, policy, chosen, weights, seed) for policy in policies)


def _effect(
    material: Material,
    policy: NoisePolicy,
    layer: int,
    weights: Mapping[int, float],
    seed: int,
) -> NoiseEffect:
    pool = fill_pool(material, LevelRequest(noise=policy, seed=seed), layer)
    slot_ids = [*pool.cluster_ids.tolist(), NOISE_ID]
    by_slot = np.array([weights.get(cluster_id, 1.0) for cluster_id in slot_ids])
    was_noise = material.labels[layer] == NOISE_ID
    return NoiseEffect(
        policy=policy,
        dropped=int(np.count_nonzero(~pool.candidates)),
        joined=int(np.count_nonzero(was_noise & (pool.slots < pool.noise_slot))),
        balance=measure_rows(pool, np.where(pool.candidates, by_slot[pool.slots], 0.0)),
    )
