"""How well each cluster survives a different seed and a sample of the rows.

Source: C. Hennig, "Cluster-wise assessment of cluster stability", Computational Statistics & Data
Analysis 52, 2007: the clustering is repeated on samples, and a cluster is as stable as the mean,
over the samples, of its Jaccard similarity to the cluster found again that is most like it.

Three steps, for any algorithm and for all layers at once:

1. ``repeat_on_samples`` draws rows and calls a function of the caller that clusters what is left,
   with another seed each time, and returns the labels of each layer;
2. in that function, ``drop_nodes`` takes the rows that were not drawn out of a graph;
3. ``measure_stability`` compares the clusters of a layer with those found again.

A cluster above 0.75 is one that the data have; below 0.5 it dissolves (Hennig's reading).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from cluster_svc.compiled import ReportFraction, for_each_block
from cluster_svc.vectors import IntArray

ABSENT = -2

# The share of rows that a sample leaves out.
DROPPED_SHARE = 0.1
DEFAULT_RUN_COUNT = 4

FindAgain = Callable[[NDArray[np.bool_], int], Sequence[IntArray]]


def repeat_on_samples(
    find: FindAgain,
    row_counts: NDArray[np.int64],
    *,
    run_count: int = DEFAULT_RUN_COUNT,
    seed: int = 0,
    thread_count: int = 1,
    report: ReportFraction = lambda fraction: None,
) -> list[list[IntArray]]:
    """Return the labels that ``find`` gives on samples of the rows, by layer, then by run.

    Parameters
    ----------
    find
        Called with which nodes are in the sample, bool of shape (nodes,), and a seed; returns for
        each layer int32 labels of shape (nodes,), -1 for noise. What it gives absent nodes is not
        looked at. Called from several threads.
    row_counts : int array of shape (nodes,)
        The rows of each node; a node is absent when a sample has none of its rows.
    run_count : int
        How many samples, at least 1.
    seed : int
        Draws the samples and the seeds.

    Returns
    -------
    For each layer a list of ``run_count`` int32 arrays of shape (nodes,), -2 for absent nodes
    """
    runs: list[list[IntArray]] = [[] for _ in range(run_count)]

    def repeat(start: int, stop: int) -> None:
        for run in range(start, stop):
            random = np.random.default_rng([seed, run])
            is_present = random.random(len(row_counts)) >= DROPPED_SHARE**row_counts
            found = find(is_present, int(random.integers(2**32)))
            runs[run] = [np.where(is_present, labels, ABSENT).astype(np.int32) for labels in found]

    for_each_block(repeat, run_count, 1, thread_count=thread_count, report=report)
    return [list(layer) for layer in zip(*runs, strict=True)]


def drop_nodes(weights: csr_array, is_present: NDArray[np.bool_]) -> csr_array:
    """Return the graph of the same shape in which absent nodes have no edge."""
    heads = np.repeat(is_present, np.diff(weights.indptr))
    is_kept = heads & is_present[weights.indices]
    starts = np.concatenate([[0], np.cumsum(is_kept)])[weights.indptr]
    return csr_array((weights.data[is_kept], weights.indices[is_kept], starts), shape=weights.shape)


def measure_stability(
    labels: IntArray, runs: Sequence[IntArray], row_counts: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Return for each cluster the mean Jaccard similarity to its best match in each run.

    Rows that are noise in ``labels`` or absent from a run do not count in it.

    Parameters
    ----------
    labels : int32 array of shape (nodes,)
        Cluster numbers from 0 without gaps, -1 for noise.
    runs
        Labels of the same nodes: any numbers from 0, -1 for noise, -2 for absent nodes.
    row_counts : int array of shape (nodes,), optional
        The rows of each node; 1 by default.

    Returns
    -------
    float64 array of shape (clusters,), 0 to 1; 0 for a cluster that no run has a row of
    """
    counts = np.ones(len(labels)) if row_counts is None else row_counts.astype(np.float64)
    cluster_count = int(labels.max(initial=-1)) + 1
    total, seen = np.zeros(cluster_count), np.zeros(cluster_count)
    for run in runs:
        counted = (labels >= 0) & (run != ABSENT)
        best, is_seen = _best_matches(labels[counted], run[counted], counts[counted], cluster_count)
        total += best
        seen += is_seen
    return total / np.maximum(seen, 1)


def _best_matches(
    labels: IntArray, found: IntArray, counts: NDArray[np.float64], cluster_count: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the best Jaccard similarity of each cluster, and which have a row."""
    sizes = np.bincount(labels, weights=counts, minlength=cluster_count)
    is_found = found >= 0
    labels, found, counts = labels[is_found], found[is_found], counts[is_found]
    best = np.zeros(cluster_count)
    if len(found):
        shape = (cluster_count, int(found.max()) + 1)
        shared = csr_array((counts, (labels, found)), shape=shape).tocoo()
        found_sizes = np.bincount(found, weights=counts)
        union = sizes[shared.row] + found_sizes[shared.col] - shared.data
        np.maximum.at(best, shared.row, shared.data / union)
    return best, sizes > 0
