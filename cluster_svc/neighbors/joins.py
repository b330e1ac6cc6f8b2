"""The compiled steps of one round of NN-descent: sample candidates, join them.

A round's joins read the lists as they stood before it and only note what they find; then every row
takes what concerns it, in one order (`take_pairs`). So the result is the same for any number of
threads.
"""

from __future__ import annotations

import numpy as np

from cluster_svc.compiled import kernel
from cluster_svc.neighbors.lists import BoolArray
from cluster_svc.vectors import FloatArray, IntArray

FRESH, OLD = 0, 1

# splitmix64 (Steele, Lea, Flood 2014).
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)

# Rows and columns of a tile of similarities; four and two keep every sum in a register.
_TILE_ROWS = 4


@kernel
def sample_candidates(
    rows: IntArray,
    is_fresh: BoolArray,
    reverse_count: int,
    candidates: IntArray,
    counts: IntArray,
    start: int,
    stop: int,
) -> None:
    """Write the candidates of rows ``start`` to ``stop``: neighbours, and rows they are one of.

    Fresh ones and old ones apart. Of the rows that have a row as their neighbour, at most
    ``reverse_count`` of each kind are drawn at random, all equally likely (reservoir sampling).

    Parameters
    ----------
    rows, is_fresh
        See `NeighborLists`.
    candidates : int32 array of shape (rows, 2, width)
        Written; ``width`` less ``reverse_count`` is how many nearest neighbours of each kind go in.
    counts : int32 array of shape (rows, 2)
        Written: how many candidates of each kind there are.
    """
    forward_count = candidates.shape[2] - reverse_count
    seen = np.empty((stop - start, 2), np.int32)
    for row in range(start, stop):
        for kind in range(2):
            counts[row, kind] = seen[row - start, kind] = 0
        for rank in range(rows.shape[1]):
            kind = FRESH if is_fresh[row, rank] else OLD
            if counts[row, kind] < forward_count:
                candidates[row, kind, counts[row, kind]] = rows[row, rank]
                counts[row, kind] += 1
    for row in range(len(rows)):
        for rank in range(rows.shape[1]):
            target = rows[row, rank]
            if target < start or target >= stop:
                continue
            kind = FRESH if is_fresh[row, rank] else OLD
            slot = np.int64(seen[target - start, kind])
            seen[target - start, kind] += 1
            if slot >= reverse_count:
                mixed = (np.uint64(row) * _STEP) ^ (np.uint64(slot) * _MIX_A)
                mixed = (mixed ^ (mixed >> np.uint64(29))) * _MIX_B
                slot = np.int64((mixed >> np.uint64(32)) % np.uint64(slot + 1))
            if slot < reverse_count:
                candidates[target, kind, counts[target, kind] + slot] = row
    for row in range(start, stop):
        for kind in range(2):
            forward = counts[row, kind]
            for place in range(min(seen[row - start, kind], reverse_count)):
                candidate = candidates[row, kind, forward + place]
                is_known = False
                for known in range(forward):
                    is_known |= candidates[row, kind, known] == candidate
                if not is_known:
                    candidates[row, kind, counts[row, kind]] = candidate
                    counts[row, kind] += 1


@kernel
def mark_old(is_fresh: BoolArray, forward_count: int, start: int, stop: int) -> None:
    """Note that the neighbours that became candidates are no longer fresh."""
    for row in range(start, stop):
        taken = 0
        for rank in range(is_fresh.shape[1]):
            if is_fresh[row, rank] and taken < forward_count:
                is_fresh[row, rank] = False
                taken += 1


@kernel
def join_candidates(
    units: FloatArray,
    similarities: FloatArray,
    candidates: IntArray,
    counts: IntArray,
    start: int,
    stop: int,
    pairs: IntArray,
    found: FloatArray,
) -> int:
    """Compare the candidates of each row with each other; old ones only with fresh ones.

    Parameters
    ----------
    similarities
        See `NeighborLists`.
    pairs : int32 array of shape (capacity, 2)
        Written: rows at least one of which has a farther neighbour than the other one. What does
        not fit is dropped.
    found : float32 array of shape (capacity,)
        Written: their similarities.

    Returns
    -------
    int
        How many pairs were written.
    """
    width, last = 2 * candidates.shape[2] + _TILE_ROWS, similarities.shape[1] - 1
    members, floors = np.empty(width, np.int32), np.empty(width, np.float32)
    block = np.empty((width, width), np.float32)
    written = 0
    for row in range(start, stop):
        fresh = counts[row, FRESH]
        size = fresh + counts[row, OLD]
        for place in range(size):
            kind = FRESH if place < fresh else OLD
            members[place] = candidates[row, kind, place - (0 if place < fresh else fresh)]
            floors[place] = similarities[members[place], last]
        _multiply(units, members, fresh, size, block)
        for left in range(fresh):
            for right in range(left + 1, size):
                value = block[left, right]
                is_nearer = value > floors[left] or value > floors[right]
                if is_nearer and written < len(found) and members[left] != members[right]:
                    pairs[written, 0], pairs[written, 1] = members[left], members[right]
                    found[written] = value
                    written += 1
    return written


@kernel
def _multiply(
    units: FloatArray, members: IntArray, fresh: int, size: int, block: FloatArray
) -> None:
    """Write the similarities of the fresh members and all after them, in tiles of 4 by 2."""
    zero = np.float32(0)
    for row in range(0, fresh, _TILE_ROWS):
        a, b = units[members[row]], units[members[min(row + 1, fresh - 1)]]
        c, d = units[members[min(row + 2, fresh - 1)]], units[members[min(row + 3, fresh - 1)]]
        for column in range(row, size, 2):
            e, f = units[members[column]], units[members[min(column + 1, size - 1)]]
            ae, af, be, bf, ce, cf, de, df = zero, zero, zero, zero, zero, zero, zero, zero
            for place in range(units.shape[1]):
                ae += a[place] * e[place]
                af += a[place] * f[place]
                be += b[place] * e[place]
                bf += b[place] * f[place]
                ce += c[place] * e[place]
                cf += c[place] * f[place]
                de += d[place] * e[place]
                df += d[place] * f[place]
            block[row, column], block[row, column + 1] = ae, af
            block[row + 1, column], block[row + 1, column + 1] = be, bf
            block[row + 2, column], block[row + 2, column + 1] = ce, cf
            block[row + 3, column], block[row + 3, column + 1] = de, df
