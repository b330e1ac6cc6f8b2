"""Tasks for row selection, small ones by hand and drawn ones for properties."""

import numpy as np
from hypothesis import strategies as st

from levelling.plans.picks import PickTask
from levelling.request import SamplingStrategy


def task_of(
    labels,
    budget,
    *,
    counts=None,
    candidates=None,
    groups=None,
    keepers=None,
    slot_count=None,
    strategy=SamplingStrategy.DIVERSE,
    seed=0,
) -> PickTask:
    """Return a task; every row is a candidate and a keeper unless it is said."""
    labels = np.asarray(labels, np.int32)
    candidates = np.ones(labels.size, bool) if candidates is None else candidates
    return PickTask(
        labels=labels,
        slot_count=int(labels.max()) + 1 if slot_count is None else slot_count,
        counts=None if counts is None else np.asarray(counts, np.int64),
        budget=budget,
        candidates=candidates,
        near_dup_groups=groups,
        keepers=candidates if keepers is None else keepers,
        strategy=strategy,
        seed=seed,
    )


def graph_of(vectors, neighbor_count=15):
    """Return the exact neighbour graph: row_nodes, indices, distances; equal vectors are one."""
    nodes, row_nodes = np.unique(vectors, axis=0, return_inverse=True)
    lengths = np.linalg.norm(nodes.astype(np.float64), axis=1, keepdims=True)
    nodes = nodes / np.where(lengths > 0, lengths, 1)
    distances = np.clip(1 - nodes @ nodes.T, 0, 2)
    np.fill_diagonal(distances, np.inf)
    indices = np.argsort(distances, axis=1, kind="stable")[:, : min(neighbor_count, len(nodes) - 1)]
    found = np.take_along_axis(distances, indices, axis=1).astype(np.float32)
    return row_nodes.reshape(-1).astype(np.int32), indices.astype(np.int32), found


def long_tail(topics, largest, seed=0, dimensions=32, spread=0.12):
    """Return unit rows and their topics, whose sizes fall like 1 / (1 + 0.15 rank)."""
    rng = np.random.default_rng(seed)
    sizes = np.maximum(3, np.round(largest / (1 + 0.15 * np.arange(topics)))).astype(int)
    topic = rng.permutation(np.repeat(np.arange(topics), sizes))
    centres = rng.standard_normal((topics, dimensions))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    rows = centres[topic] + spread * rng.standard_normal((topic.size, dimensions))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), topic


@st.composite
def pick_tasks(draw):
    """Draw vectors of few values, zero ones and equal ones among them, and a task on them."""
    size = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dimensions = draw(st.sampled_from([1, 2, 3, 5, 70]))
    vectors = rng.integers(-2, 3, (size, dimensions)).astype(np.float32)
    slots = draw(st.integers(1, 4))
    labels = rng.integers(-1, slots, size).astype(np.int32)
    candidates = rng.random(size) < draw(st.sampled_from([0.5, 1.0]))
    rows = np.arange(size)
    groups = np.where(rng.random(size) < 0.5, rows - rows % 3, rows).astype(np.int32)
    groups = groups[groups]
    usable = candidates & (labels >= 0)
    keepers = np.zeros(size, bool)
    keepers[np.unique(groups[usable], return_index=True)[1]] = True
    keepers = _on(usable, keepers[: np.count_nonzero(usable)])
    available = np.bincount(labels[usable], minlength=slots)
    counts = rng.integers(0, available + 1) if draw(st.booleans()) else None
    budget = int(rng.integers(0, available.sum() + 1) if counts is None else counts.sum())
    return vectors, task_of(
        labels,
        budget,
        counts=counts,
        candidates=candidates,
        groups=groups,
        keepers=keepers,
        slot_count=slots,
        strategy=draw(st.sampled_from(SamplingStrategy)),
        seed=draw(st.integers(0, 5)),
    )


def _on(usable, values):
    spread = np.zeros(usable.size, bool)
    spread[usable] = values
    return spread
