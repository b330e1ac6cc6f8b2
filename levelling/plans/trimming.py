"""Copies taken away again, where the picked rows have more tokens than a budget buys."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

from levelling.groups import NOISE_ID
from levelling.plans.noise import noise_limit
from levelling.plans.prepared import Prepared

_TRIM_STREAM = 3  # of the seed, apart from other choices


def trim_to_tokens(
    prepared: Prepared, copies: NDArray[np.int32], tokens: NDArray[np.int64], budget: int
) -> None:
    """Take copies away, in place, until they have at most so many tokens.

    Where noise is capped, it stays so: of what is left it is at most its share.
    """
    while (excess := int(copies @ tokens) - budget) > 0:
        order = _removable(prepared, copies)
        enough = int(np.searchsorted(np.cumsum(tokens[order]), excess)) + 1
        copies[order[:enough]] -= 1
    _cap_noise(prepared, copies)


def _removable(prepared: Prepared, copies: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return kept rows in the order in which a copy of them may go.

    At random, but the last rows that a cluster needs to keep its floor or pin come last.
    """
    rows = np.flatnonzero(copies)
    order = np.random.default_rng((_TRIM_STREAM, prepared.request.seed)).permutation(rows)
    slots = prepared.pool.slots[order]
    places = np.empty(order.size, np.int64)
    by_slot = np.argsort(slots, kind="stable")
    sizes = np.bincount(slots, minlength=prepared.pool.noise_slot + 1)
    places[by_slot] = np.arange(order.size) - (np.cumsum(sizes) - sizes)[slots[by_slot]]
    held = np.bincount(prepared.pool.slots, weights=copies, minlength=sizes.size)
    spare = held - _lowest(prepared)
    return order[np.argsort(places >= spare[slots], kind="stable")]


def _cap_noise(prepared: Prepared, copies: NDArray[np.int32]) -> None:
    """Take away the noise that is more than its share beside what clusters have left."""
    request, pool = prepared.request, prepared.pool
    if request.noise.share is None or NOISE_ID in request.pinned:
        return
    is_noise = pool.slots == pool.noise_slot
    limit = noise_limit(request.noise.share, int(copies[~is_noise].sum()))
    lines = np.repeat(np.flatnonzero(is_noise), copies[is_noise])
    kept = np.random.default_rng((_TRIM_STREAM, request.seed)).permutation(lines)[:limit]
    copies[is_noise] = np.bincount(kept, minlength=copies.size)[is_noise]


def _lowest(prepared: Prepared) -> NDArray[np.float64]:
    """Return how many rows each slot is to keep at least."""
    slot_count = prepared.pool.noise_slot + 1
    if prepared.problem is None or prepared.problem.lower is None:
        return np.zeros(slot_count)
    noise = prepared.request.pinned.get(NOISE_ID, 0.0)
    assert prepared.supply is not None
    return np.append(prepared.problem.lower, ceil(noise * int(prepared.supply.units[-1])))
