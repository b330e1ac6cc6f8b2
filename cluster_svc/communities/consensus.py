"""Communities on which many runs of the Leiden algorithm agree.

One run depends on the order in which it visits nodes: where a graph has no clear structure, two
orders give partitions that agree little. Of several runs, the share that puts both ends of an edge
into one community says how sure that edge is; the graph weighted by it has clear communities.

Source: A. Lancichinetti, S. Fortunato, "Consensus clustering in complex networks", Scientific
Reports 2, 2012; only for the pairs that the graph joins, as A. Tandon, A. Albeshri,
V. Thayananthan, W. Alhalabi, S. Fortunato, "Fast consensus clustering in complex networks",
Physical Review E 99, 2019. Here the share multiplies the weight of the edge instead of taking its
place.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from cluster_svc.communities.kernels import LongArray
from cluster_svc.communities.leiden import find_communities
from cluster_svc.compiled import ReportFraction, for_each_block, kernel
from cluster_svc.vectors import FloatArray, IntArray

# More runs agree better with those of another seed, and cost as much more.
_MOST_RUNS = 12
_FEWEST_RUNS = 4
_NODES_FOR_MOST_RUNS = 30_000

_NODES_PER_BLOCK = 16_384
_FINAL_PASS_COUNT = 4


def find_robust_communities(
    weights: csr_array,
    *,
    resolution: float = 1.0,
    seed: int = 0,
    run_count: int | None = None,
    thread_count: int = 1,
    report: ReportFraction = lambda fraction: None,
) -> IntArray:
    """Return the community of each node on which several runs agree; each is connected.

    Parameters
    ----------
    weights : csr_array of shape (nodes, nodes)
        Symmetric, no weight below 0.
    resolution
        As for ``find_communities``.
    seed : int
        Draws the seeds of the runs. Equal input and seed give equal labels on any thread count.
    run_count : int, optional
        How many runs; by default 12, fewer for graphs of over 30,000 nodes, but at least 4.
    report
        Called with the fraction done, 0 to 1.

    Returns
    -------
    int32 array of shape (nodes,), labels from 0 in order of their first node
    """
    nodes = weights.shape[0]
    count = default_run_count(nodes) if run_count is None else run_count
    seeds = np.random.SeedSequence(seed).generate_state(count + 1, np.uint32)
    runs = np.empty((nodes, count), np.int32)

    def find(start: int, stop: int) -> None:
        for run in range(start, stop):
            runs[:, run] = find_communities(weights, resolution=resolution, seed=int(seeds[run]))

    for_each_block(
        find, count, 1, thread_count=thread_count, report=lambda done: report(0.9 * done)
    )
    labels = find_communities(
        weigh_by_agreement(weights, runs, thread_count=thread_count),
        resolution=resolution,
        seed=int(seeds[count]),
        pass_count=_FINAL_PASS_COUNT,
    )
    report(1.0)
    return labels


def default_run_count(nodes: int) -> int:
    """Return how many runs a graph gets: fewer for a large one, at least 4."""
    return int(
        np.clip(_MOST_RUNS * _NODES_FOR_MOST_RUNS // max(nodes, 1), _FEWEST_RUNS, _MOST_RUNS)
    )


def weigh_by_agreement(weights: csr_array, runs: IntArray, *, thread_count: int = 1) -> csr_array:
    """Return the graph with each weight times the share of runs that keep both ends together.

    Parameters
    ----------
    weights : csr_array of shape (nodes, nodes)
    runs : int32 array of shape (nodes, runs)
        Labels of each run, -2 for a node that a run did not have; runs without both ends do not
        count, and an edge that no run counts gets 0.

    Returns
    -------
    csr_array of the same shape and entries, float32
    """
    starts = weights.indptr.astype(np.int64, copy=False)
    ends = weights.indices.astype(np.int32, copy=False)
    values = weights.data.astype(np.float32)

    def weigh(start: int, stop: int) -> None:
        _weigh_rows(starts, ends, runs, values, start, stop)

    for_each_block(weigh, len(runs), _NODES_PER_BLOCK, thread_count=thread_count)
    return csr_array((values, weights.indices, weights.indptr), shape=weights.shape)


@kernel
def _weigh_rows(
    starts: LongArray, ends: IntArray, runs: IntArray, values: FloatArray, start: int, stop: int
) -> None:
    """Multiply the weights of the edges of nodes ``start`` to ``stop`` by the agreement."""
    for node in range(start, stop):
        for entry in range(starts[node], starts[node + 1]):
            other = ends[entry]
            agreed, counted = 0, 0
            for run in range(runs.shape[1]):
                is_counted = runs[node, run] >= 0 and runs[other, run] >= 0
                counted += is_counted
                agreed += is_counted and runs[node, run] == runs[other, run]
            values[entry] *= agreed / max(counted, 1)
