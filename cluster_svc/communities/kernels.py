"""The compiled steps of the Leiden algorithm on one level of aggregation.

Every graph is CSR, both directions of an edge stored, none twice, none from a node to itself:
``starts`` int64 of shape (nodes + 1,), ``ends`` int32 and ``weights`` float32 of shape (entries,),
all weights above 0. ``masses`` float64 of shape (nodes,) is what the null model goes by: two nodes
are expected to be joined by ``scale * masses[a] * masses[b]``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cluster_svc.compiled import kernel
from cluster_svc.vectors import FloatArray, IntArray

LongArray = NDArray[np.int64]
DoubleArray = NDArray[np.float64]

# splitmix64 (Steele, Lea, Flood 2014): a counter, mixed.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)

# A move must gain more than this share of the node's mass: more than the last bits of weights, by
# which the two directions of an edge may differ after merging.
_SMALLEST_GAIN = 1e-7

# Where the weights of a node are far more than its mass, rounding could still move nodes for ever:
# so many visits, for each node on average, are a hundred times what is usual.
_MOST_VISITS = 1000


@kernel
def shuffle_nodes(count: int, seed: int) -> IntArray:
    """Return the numbers from 0 to ``count - 1`` in an order drawn from the seed."""
    order = np.arange(count).astype(np.int32)
    state = np.uint64(seed)
    for last in range(count - 1, 0, -1):
        state += _STEP
        mixed = (state ^ (state >> np.uint64(30))) * _MIX_A
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_B
        mixed ^= mixed >> np.uint64(31)
        chosen = np.int64(((mixed >> np.uint64(32)) * np.uint64(last + 1)) >> np.uint64(32))
        order[last], order[chosen] = order[chosen], order[last]
    return order


@kernel
def sum_by_label(values: DoubleArray, labels: IntArray, count: int) -> DoubleArray:
    """Return the sum of the values of each label."""
    sums = np.zeros(count, np.float64)
    for node in range(len(labels)):
        sums[labels[node]] += values[node]
    return sums


@kernel
def number_by_first(labels: IntArray) -> int:
    """Return how many labels there are; number them from 0 by their first node, in place."""
    new = np.full(len(labels), -1, np.int32)
    count = 0
    for node in range(len(labels)):
        label = labels[node]
        if new[label] < 0:
            new[label] = count
            count += 1
        labels[node] = new[label]
    return count


@kernel
def move_nodes(
    starts: LongArray,
    ends: IntArray,
    weights: FloatArray,
    masses: DoubleArray,
    labels: IntArray,
    queue: IntArray,
    scale: float,
) -> None:
    """Move nodes to the neighbouring community of most gain until none gains, in place.

    ``labels`` are below the number of nodes. ``queue`` holds every node in visiting order and is
    overwritten; a node is visited again when a neighbour has left its community, all nodes together
    at most 1,000 times their number.
    """
    count = len(labels)
    totals = sum_by_label(masses, labels, count)
    sizes = np.zeros(count, np.int32)
    for node in range(count):
        sizes[labels[node]] += 1
    empty = np.empty(count, np.int32)
    empty_count = 0
    for label in range(count):
        if sizes[label] == 0:
            empty[empty_count] = label
            empty_count += 1
    links = np.zeros(count, np.float64)
    near = np.empty(count, np.int32)
    is_queued = np.ones(count, np.bool_)
    head, waiting, visits_left = 0, count, _MOST_VISITS * count
    while waiting and visits_left:
        visits_left -= 1
        node = queue[head]
        head = head + 1 if head + 1 < count else 0
        waiting -= 1
        is_queued[node] = False
        own, mass = labels[node], masses[node]
        first, degree = starts[node], starts[node + 1] - starts[node]
        for position in range(degree):
            label = labels[ends[first + position]]
            near[position] = label
            links[label] += weights[first + position]
        pull = scale * mass
        best, best_gain = own, links[own] - pull * (totals[own] - mass)
        slack = _SMALLEST_GAIN * mass
        for position in range(degree):
            # A label that came before has no link left and cannot gain: no branch is needed.
            label = near[position]
            gain = links[label] - pull * totals[label]
            links[label] = 0
            if gain > best_gain + slack and label != own:
                best, best_gain = label, gain
        if best_gain < -slack and sizes[own] > 1:
            empty_count -= 1
            best = empty[empty_count]
        if best == own:
            continue
        labels[node] = best
        totals[own] -= mass
        totals[best] += mass
        sizes[own] -= 1
        sizes[best] += 1
        if sizes[own] == 0:
            totals[own] = 0
            empty[empty_count] = own
            empty_count += 1
        for entry in range(starts[node], starts[node + 1]):
            other = ends[entry]
            if not is_queued[other] and labels[other] != best:
                is_queued[other] = True
                tail = head + waiting
                queue[tail if tail < count else tail - count] = other
                waiting += 1


@kernel
def refine_communities(
    starts: LongArray,
    ends: IntArray,
    weights: FloatArray,
    masses: DoubleArray,
    labels: IntArray,
    order: IntArray,
    scale: float,
) -> IntArray:
    """Return the parts of each community that hold together: labels below the number of nodes.

    Nodes begin alone; one that is still alone joins the part of its community where it gains most,
    if both are well connected to the rest of the community. Parts are connected.
    """
    count = len(labels)
    totals = sum_by_label(masses, labels, count)
    parts = np.arange(count).astype(np.int32)
    part_totals = masses.copy()
    is_alone = np.ones(count, np.bool_)
    # Weight between a part and the rest of its community.
    ties = np.zeros(count, np.float64)
    for node in range(count):
        for entry in range(starts[node], starts[node + 1]):
            if labels[ends[entry]] == labels[node]:
                ties[node] += weights[entry]
    links = np.zeros(count, np.float64)
    near = np.empty(count, np.int32)
    for position in range(count):
        node = order[position]
        mass, total = masses[node], totals[labels[node]]
        if not is_alone[node] or ties[node] < scale * mass * (total - mass):
            continue
        near_count = 0
        for entry in range(starts[node], starts[node + 1]):
            if labels[ends[entry]] == labels[node]:
                part = parts[ends[entry]]
                links[part] += weights[entry]
                near[near_count] = part
                near_count += 1
        best, best_gain, best_link = node, 0.0, 0.0
        for candidate in range(near_count):
            part = near[candidate]
            part_total, link = part_totals[part], links[part]
            links[part] = 0
            gain = link - scale * mass * part_total
            if gain > best_gain and ties[part] >= scale * part_total * (total - part_total):
                best, best_gain, best_link = part, gain, link
        if best != node:
            parts[node] = best
            part_totals[best] += mass
            ties[best] += ties[node] - 2 * best_link
            is_alone[node] = is_alone[best] = False
    return parts


@kernel
def merge_nodes(
    starts: LongArray, ends: IntArray, weights: FloatArray, parts: IntArray, count: int
) -> tuple[LongArray, IntArray, FloatArray]:
    """Return the graph whose nodes are the ``count`` parts; weight within a part is dropped."""
    first = np.zeros(count + 1, np.int64)
    for node in range(len(parts)):
        first[parts[node] + 1] += 1
    for part in range(count):
        first[part + 1] += first[part]
    members = np.empty(len(parts), np.int32)
    filled = first[:-1].copy()
    for node in range(len(parts)):
        members[filled[parts[node]]] = node
        filled[parts[node]] += 1
    new_starts = np.zeros(count + 1, np.int64)
    new_ends = np.empty(len(ends), np.int32)
    new_weights = np.empty(len(ends), np.float32)
    links = np.zeros(count, np.float64)
    used = 0
    for part in range(count):
        for position in range(first[part], first[part + 1]):
            node = members[position]
            for entry in range(starts[node], starts[node + 1]):
                other = parts[ends[entry]]
                if other != part:
                    if links[other] == 0:
                        new_ends[used] = other
                        used += 1
                    links[other] += weights[entry]
        for entry in range(new_starts[part], used):
            new_weights[entry] = links[new_ends[entry]]
            links[new_ends[entry]] = 0
        new_starts[part + 1] = used
    return new_starts, new_ends[:used].copy(), new_weights[:used].copy()
