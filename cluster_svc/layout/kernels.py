"""The compiled steps of a layout.

Graphs are CSR, both directions of an edge stored: ``starts`` int64 of shape (nodes + 1,), ``ends``
int32 and ``weights`` float32 of shape (entries,).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cluster_svc.compiled import kernel
from cluster_svc.vectors import FloatArray, IntArray

LongArray = NDArray[np.int64]

# lowbias32 (Wellons 2018): a counter, mixed.
_MIX_A = np.uint32(0x7FEB352D)
_MIX_B = np.uint32(0x846CA68B)
_NODE_STEP = np.uint32(0x9E3779B9)

# Where a node meets another the repulsion is largest; the share of a unit below which it is capped.
_CORE = np.float32(0.05)

# No node moves further in an epoch than so many units at a step of 1, plus a little.
_FARTHEST_MOVE = np.float32(4)
_LEAST_MOVE = np.float32(1e-3)


@kernel
def move_nodes(
    starts: LongArray,
    ends: IntArray,
    weights: FloatArray,
    rates: FloatArray,
    mobility: FloatArray,
    places: IntArray,
    positions: FloatArray,
    drawn: FloatArray,
    moved: FloatArray,
    drawn_next: FloatArray,
    forces: FloatArray,
    seed: np.uint32,
    start: int,
    stop: int,
) -> None:
    """Write where nodes ``start`` to ``stop`` go in one epoch to ``moved`` and ``drawn_next``.

    ``drawn`` of shape (2, nodes + samples) holds the positions in a drawn order, ``places`` the
    place of each node in it; its first entries come again at its end. A run of ``samples`` entries
    from anywhere is thus a random sample that is read in one go. ``forces`` holds the curve's
    steepness, the repulsion of one sample, gravity and the step.
    """
    nodes = len(rates)
    samples = drawn.shape[1] - nodes
    one = np.float32(1)
    steepness, repulsion, gravity, step = forces[0], forces[1], forces[2], forces[3]
    drawn_x, drawn_y = drawn[0], drawn[1]
    for node in range(start, stop):
        x, y = positions[node, 0], positions[node, 1]
        pull_x, pull_y, stiffness = np.float32(0), np.float32(0), np.float32(0)
        for entry in range(np.uint64(starts[node]), np.uint64(starts[node + 1])):
            other = np.uint64(ends[entry])
            along, across = positions[other, 0] - x, positions[other, 1] - y
            pull = weights[entry] / (one + steepness * (along * along + across * across))
            pull_x += pull * along
            pull_y += pull * across
            stiffness += pull
        mixed = np.uint32(np.uint32(node) * _NODE_STEP + seed)
        mixed = np.uint32((mixed ^ (mixed >> np.uint32(16))) * _MIX_A)
        mixed = np.uint32((mixed ^ (mixed >> np.uint32(15))) * _MIX_B)
        mixed ^= mixed >> np.uint32(16)
        first = (np.uint64(mixed) * np.uint64(nodes)) >> np.uint64(32)
        push_x, push_y = np.float32(0), np.float32(0)
        for sample in range(first, first + np.uint64(samples)):
            along, across = x - drawn_x[sample], y - drawn_y[sample]
            square = along * along + across * across
            push = one / ((_CORE + square) * (one + steepness * square))
            push_x += push * along
            push_y += push * across
        # The pull's own stiffness bounds the step: no node overshoots, however many pull at it.
        damped = mobility[node] * step / (one + step * np.float32(2) * steepness * stiffness)
        double = np.float32(2) * steepness
        to_x = double * pull_x + rates[node] * (repulsion * push_x - gravity * x)
        to_y = double * pull_y + rates[node] * (repulsion * push_y - gravity * y)
        farthest = _FARTHEST_MOVE * step + _LEAST_MOVE
        x += min(max(damped * to_x, -farthest), farthest)
        y += min(max(damped * to_y, -farthest), farthest)
        moved[node, 0], moved[node, 1] = x, y
        place = np.uint64(places[node])
        drawn_next[0, place], drawn_next[1, place] = x, y
        if place < np.uint64(samples):
            drawn_next[0, place + np.uint64(nodes)] = x
            drawn_next[1, place + np.uint64(nodes)] = y


@kernel
def reorder_rows(
    starts: LongArray,
    ends: IntArray,
    weights: FloatArray,
    order: IntArray,
    ranks: IntArray,
    new_starts: LongArray,
    new_ends: IntArray,
    new_weights: FloatArray,
    start: int,
    stop: int,
) -> None:
    """Write rows ``start`` to ``stop`` of the graph whose node i was node ``order[i]``."""
    for row in range(start, stop):
        entry = new_starts[row]
        for old in range(starts[order[row]], starts[order[row] + 1]):
            new_ends[entry], new_weights[entry] = ranks[ends[old]], weights[old]
            entry += 1


@kernel
def damp_between(
    starts: LongArray,
    ends: IntArray,
    weights: FloatArray,
    labels: IntArray,
    share: np.float32,
    start: int,
    stop: int,
) -> None:
    """Multiply by ``share`` the weights of rows ``start`` to ``stop`` that join two labels.

    A node of label -1 belongs with any other.
    """
    for row in range(start, stop):
        for entry in range(starts[row], starts[row + 1]):
            other = labels[ends[entry]]
            if labels[row] >= 0 and other >= 0 and other != labels[row]:
                weights[entry] *= share


@kernel
def group_nodes(
    starts: LongArray,
    ends: IntArray,
    weights: FloatArray,
    masses: FloatArray,
    queue: IntArray,
    size: int,
    groups: IntArray,
) -> int:
    """Write a group of near nodes for each node to ``groups``; return how many groups there are.

    In the queue's order each node that is in no group takes up to ``size - 1`` of its strongest
    neighbours that are in none; where all are taken, it joins its strongest neighbour's group
    unless that has grown to twice the size.
    """
    count = 0
    groups[:] = -1
    members = np.zeros(len(groups), np.int32)
    for node in queue:
        if groups[node] >= 0:
            continue
        own = np.int32(-1)
        for _ in range(size - 1):
            best, strongest = -1, np.float32(0)
            for entry in range(starts[node], starts[node + 1]):
                strength = weights[entry] / masses[ends[entry]]
                if groups[ends[entry]] < 0 and ends[entry] != node and strength > strongest:
                    best, strongest = ends[entry], strength
            if best < 0:
                break
            if own < 0:
                own = np.int32(count)
                count += 1
                groups[node] = own
                members[own] = 1
            groups[best] = own
            members[own] += 1
        if own >= 0:
            continue
        strongest = np.float32(0)
        for entry in range(starts[node], starts[node + 1]):
            other = groups[ends[entry]]
            if other >= 0 and members[other] < 2 * size and weights[entry] > strongest:
                own, strongest = other, weights[entry]
        if own < 0:
            own = np.int32(count)
            count += 1
        groups[node] = own
        members[own] += 1
    return count
