"""k-means on vectors of length 1, through scikit-learn."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace

import numpy as np

from cluster_svc.algorithms.noise import mark_noise
from cluster_svc.algorithms.specification import (
    MIN_CLUSTER_SIZE,
    NOISE_THRESHOLD,
    Algorithm,
    Parameters,
    ParameterSpec,
    ParameterType,
    Partition,
    Problem,
    resolve_min_cluster_size,
)


def find(problem: Problem, parameters: Parameters) -> Partition:
    """Return the clusters of k-means, rows in sparse regions as noise."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    graph = problem.graph
    given = parameters["cluster_count"]
    wanted = max(2, round(math.sqrt(graph.row_count / 2))) if given is None else int(given)
    count = min(wanted, graph.node_count)
    model = KMeans(count, n_init=3, random_state=problem.seed)
    with warnings.catch_warnings():
        # Fewer directions than clusters: those that are there are found.
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = model.fit(problem.units, sample_weight=graph.multiplicities).labels_
    minimum = resolve_min_cluster_size(parameters, graph.row_count)
    threshold = float(parameters["noise_threshold"] or 0)
    labels, noise = mark_noise(problem, labels.astype(np.int32), threshold, minimum)
    source = "the square root of half the rows" if given is None else "as asked for"
    reason = f"k-means with {count} clusters, {source}."
    if count < wanted:
        reason = f"k-means with {count} clusters, one for each distinct vector."
    in_effect = {**parameters, "cluster_count": count, "min_cluster_size": minimum}
    return Partition(labels, "kmeans", reason, in_effect, noise, is_asked_for=given is not None)


KMEANS = Algorithm(
    name="kmeans",
    description=(
        "k-means on direction: cuts the rows into a given number of compact clusters of similar"
        " extent. Choose it when the number of clusters is known."
    ),
    parameters=(
        ParameterSpec(
            "cluster_count",
            "The number of clusters. Unset: the square root of half the number of rows.",
            ParameterType.INT,
            default=None,
            minimum=1,
            maximum=10_000,
        ),
        replace(
            MIN_CLUSTER_SIZE,
            description=(
                "Rows of the smallest cluster; smaller ones join the cluster they are most strongly"
                " tied to, or become noise without one."
            ),
            default=1,
        ),
        NOISE_THRESHOLD,
    ),
    find=find,
)
