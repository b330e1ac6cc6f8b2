"""Which rows are in no cluster, and the sentence that says so."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cluster_svc.algorithms.specification import Problem
from cluster_svc.communities.aggregate import join_small_clusters, renumber
from cluster_svc.density import Noise, find_sparse_nodes
from cluster_svc.vectors import IntArray


def mark_noise(
    problem: Problem, labels: IntArray, noise_threshold: float, min_cluster_size: int
) -> tuple[IntArray, Noise]:
    """Return labels with sparse rows and small clusters as noise, for algorithms without noise.

    A cluster that is too small first joins the one it is most strongly tied to, if any.

    Parameters
    ----------
    labels : int32 array of shape (nodes,)
        Any numbers from 0.
    noise_threshold : float
        See `find_sparse_nodes`.
    min_cluster_size : int
        Rows of the smallest cluster.
    """
    counts = problem.graph.multiplicities
    joined = join_small_clusters(problem.weights, renumber(labels), counts, min_cluster_size)
    sparse = find_sparse_nodes(problem.graph, noise_threshold)
    marked = np.where(sparse, np.int32(-1), joined).astype(np.int32)
    kept = drop_small_clusters(marked, counts, min_cluster_size)
    sparse_count = int(counts[sparse].sum())
    small_count = int(counts[(kept < 0) & ~sparse].sum())
    why = (
        f"more than {noise_threshold:g} robust standard deviations sparser around them than around"
        " their neighbours"
    )
    return kept, describe_noise(sparse_count, small_count, problem.graph.row_count, why)


def drop_unclustered(
    problem: Problem, labels: IntArray, min_cluster_size: int, why: str
) -> tuple[IntArray, Noise]:
    """Return labels with small clusters as noise, for algorithms that mark noise themselves.

    Parameters
    ----------
    labels : int32 array of shape (nodes,)
        Any numbers from 0, -1 for noise.
    min_cluster_size : int
        Rows of the smallest cluster.
    why : str
        What the algorithm's own noise is, to go on "rows are noise: ".
    """
    counts = problem.graph.multiplicities
    kept = drop_small_clusters(labels, counts, min_cluster_size)
    sparse_count = int(counts[labels < 0].sum())
    small_count = int(counts[(kept < 0) & (labels >= 0)].sum())
    return kept, describe_noise(sparse_count, small_count, problem.graph.row_count, why)


def drop_small_clusters(
    labels: IntArray, row_counts: NDArray[np.int64], min_cluster_size: int
) -> IntArray:
    """Return the labels with the nodes of clusters of fewer rows turned into noise."""
    clustered = labels >= 0
    sizes = np.bincount(labels[clustered], weights=row_counts[clustered])
    keep = np.append(sizes >= min_cluster_size, False)
    return np.where(keep[labels], labels, np.int32(-1)).astype(np.int32)


def describe_noise(sparse_count: int, small_count: int, row_count: int, why: str) -> Noise:
    """Return the counts with one sentence for people."""
    total = sparse_count + small_count
    if total == 0:
        return Noise(0, 0, "Every row is in a cluster.")
    causes = [f"{sparse_count} because {why}"] if sparse_count else []
    if small_count:
        causes.append(f"{small_count} because their cluster is too small and tied to no other")
    share = f"{total} of {row_count} rows ({total / row_count:.1%}) are in no cluster"
    return Noise(sparse_count, small_count, f"{share}: {', and '.join(causes)}.")
