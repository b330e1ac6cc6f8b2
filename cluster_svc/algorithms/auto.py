"""The default: DBSCAN where it separates the rows, communities where it does not."""

from __future__ import annotations

from dataclasses import replace

from cluster_svc.algorithms import communities
from cluster_svc.algorithms.dbscan import LARGEST_SHARE, MOST_NOISE, estimate_optimal_eps
from cluster_svc.algorithms.specification import (
    MIN_CLUSTER_SIZE,
    MIN_SAMPLES,
    NOISE_THRESHOLD,
    RESOLUTION,
    Algorithm,
    Parameters,
    Partition,
    Preset,
    Problem,
    count_rows,
    drop_small_clusters,
    resolve_min_cluster_size,
)
from cluster_svc.vectors import IntArray


def find(problem: Problem, parameters: Parameters) -> Partition:
    """Return DBSCAN's clusters at the best of all eps, or communities when those degenerate."""
    graph = problem.graph
    estimate = estimate_optimal_eps(graph, int(parameters["min_samples"] or 0))
    minimum = resolve_min_cluster_size(parameters, graph.row_count)
    labels = drop_small_clusters(estimate.labels, graph, minimum)
    sizes = count_rows(labels, graph)
    fault = describe_fault(sizes[sizes > 0], graph.row_count, estimate.eps)
    in_effect = {**parameters, "min_cluster_size": minimum}
    if fault is not None:
        found = communities.find(problem, in_effect)
        reason = f"Communities of the neighbour graph were used, because {fault}."
        return replace(found, reason=reason, eps_curve=estimate.curve)
    noise = 1 - sizes.sum() / graph.row_count
    reason = f"DBSCAN separates the rows clearly at eps {estimate.eps:.3g}: {noise:.0%} are noise."
    in_effect["eps"] = estimate.eps
    return Partition(labels, "dbscan", reason, in_effect, estimate.curve)


def describe_fault(sizes: IntArray, row_count: int, eps: float) -> str | None:
    """Return what is wrong with DBSCAN's clusters at its best eps, None when nothing is.

    Wrong is: fewer than two clusters, over ``MOST_NOISE`` of the rows noise, or over
    ``LARGEST_SHARE`` of the clustered rows in one cluster.

    Parameters
    ----------
    sizes : int32 array of shape (clusters,)
        Rows of each cluster.
    row_count : int
        All rows, noise included.
    eps : float
        The eps, for the sentence.
    """
    found = f"DBSCAN at its best eps ({eps:.3g})"
    if len(sizes) < 2:
        return f"{found} found {'one cluster only' if len(sizes) else 'no cluster'}"
    noise = 1 - sizes.sum() / row_count
    if noise > MOST_NOISE:
        return f"{found} left {noise:.0%} of the rows in no cluster"
    largest = sizes.max() / sizes.sum()
    if largest > LARGEST_SHARE:
        return f"{found} put {largest:.0%} of the clustered rows into one cluster"
    return None


AUTO = Algorithm(
    name="auto",
    description=(
        f"Tries DBSCAN at all eps at once; where even the best one leaves over {MOST_NOISE:.0%} of"
        " the rows as noise, finds fewer than two clusters or puts over"
        f" {LARGEST_SHARE:.0%} of the clustered rows into one, takes communities of the neighbour"
        " graph. The answer says which was used and why."
    ),
    parameters=(MIN_SAMPLES, RESOLUTION, MIN_CLUSTER_SIZE, NOISE_THRESHOLD),
    find=find,
    presets=(
        Preset("coarse", "Fewer, larger clusters.", {"resolution": 0.4}),
        Preset("fine", "More, smaller clusters.", {"resolution": 2.5}),
    ),
)
