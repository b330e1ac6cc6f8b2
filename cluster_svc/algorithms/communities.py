"""Communities of the fuzzy neighbour graph, as fine as other halves of the data confirm."""

from __future__ import annotations

from dataclasses import replace

from cluster_svc.algorithms.noise import mark_noise
from cluster_svc.algorithms.specification import (
    MIN_CLUSTER_SIZE,
    NOISE_THRESHOLD,
    RESOLUTION,
    Algorithm,
    Parameters,
    Partition,
    Preset,
    Problem,
    resolve_min_cluster_size,
)
from cluster_svc.communities.consensus import find_robust_communities
from cluster_svc.communities.resolution import choose_resolution

# Runs that agree on a partition; more cost as much more and move few rows.
_RUN_COUNT = 6


def find(problem: Problem, parameters: Parameters) -> Partition:
    """Return the communities, rows in sparse regions as noise, small communities joined."""
    graph, given = problem.graph, parameters["resolution"]
    if given is None:
        chosen = choose_resolution(
            problem.weights,
            graph.row_count,
            seed=problem.seed,
            thread_count=problem.thread_count,
        )
        resolution = chosen.resolution
        source = (
            f"at resolution {resolution:.3g}, chosen because random halves of the rows agree on"
            f" them best ({max(chosen.agreement, 0):.2f} of 1)"
        )
    else:
        resolution = float(given)
        source = f"at resolution {resolution:.3g}, as asked for"
    labels = find_robust_communities(
        problem.weights,
        resolution=resolution,
        seed=problem.seed,
        run_count=_RUN_COUNT,
        thread_count=problem.thread_count,
    )
    minimum = resolve_min_cluster_size(parameters, graph.row_count)
    threshold = float(parameters["noise_threshold"] or 0)
    labels, noise = mark_noise(problem, labels, threshold, minimum)
    reason = (
        "Communities of the neighbour graph: groups of rows that have more near neighbours among"
        f" themselves than chance would give, {source}."
    )
    in_effect = {**parameters, "resolution": resolution, "min_cluster_size": minimum}
    return Partition(
        labels, "communities", reason, in_effect, noise, is_asked_for=given is not None
    )


COMMUNITIES = Algorithm(
    name="communities",
    description=(
        "Leiden communities of the fuzzy nearest-neighbour graph: finds the number of clusters by"
        " itself, as many as random halves of the rows agree on, copes with clusters of different"
        " density, and leaves few rows as noise. Choose it for free text."
    ),
    parameters=(
        RESOLUTION,
        replace(
            MIN_CLUSTER_SIZE,
            description=(
                "Rows of the smallest cluster; smaller ones join the cluster they are most strongly"
                " tied to, or become noise without one. Unset: the square root of the number of"
                " rows divided by 10, at least 3."
            ),
        ),
        NOISE_THRESHOLD,
    ),
    find=find,
    presets=(
        Preset("coarse", "Fewer, larger clusters.", {"resolution": 0.3}),
        Preset("fine", "More, smaller clusters.", {"resolution": 4.0}),
    ),
)
