"""DBSCAN on cosine distance, with an eps that is given or chosen from the data."""

from __future__ import annotations

from dataclasses import replace

from cluster_svc.algorithms.eps import estimate_optimal_eps
from cluster_svc.algorithms.exact_dbscan import exact_dbscan, graph_dbscan
from cluster_svc.algorithms.noise import drop_unclustered
from cluster_svc.algorithms.specification import (
    MIN_CLUSTER_SIZE,
    MIN_SAMPLES,
    Algorithm,
    EpsPoint,
    Parameters,
    ParameterSpec,
    ParameterType,
    Partition,
    Preset,
    Problem,
    resolve_min_cluster_size,
)
from cluster_svc.communities.leiden import find_communities
from cluster_svc.communities.resolution import choose_resolution
from cluster_svc.neighbors import EXACT_NODE_LIMIT
from cluster_svc.vectors import IntArray


def find(problem: Problem, parameters: Parameters) -> Partition:
    """Return the clusters of DBSCAN at the given eps, else at an automatic one."""
    if parameters["eps"] is None and parameters["auto_eps"]:
        return _find_automatic(problem, parameters)
    return _find_given(problem, parameters)


def _find_automatic(problem: Problem, parameters: Parameters) -> Partition:
    graph, seed = problem.graph, problem.seed
    chosen = choose_resolution(
        problem.weights, graph.row_count, seed=seed, thread_count=problem.thread_count
    )
    communities = find_communities(problem.weights, resolution=chosen.resolution, seed=seed)
    estimate = estimate_optimal_eps(
        graph, int(parameters["min_samples"] or 0), reference=communities
    )
    reason = (
        f"DBSCAN at eps {estimate.eps:.3g}, the eps of {len(estimate.curve)} tried at which the"
        " clusters agree best with the communities of the neighbour graph."
    )
    in_effect = {**parameters, "eps": estimate.eps}
    return describe_dbscan(problem, estimate.labels, reason, in_effect, eps_curve=estimate.curve)


def _find_given(problem: Problem, parameters: Parameters) -> Partition:
    given = parameters["eps"]
    eps = problem.default_eps if given is None else float(given)
    min_samples, graph = int(parameters["min_samples"] or 0), problem.graph
    if graph.node_count <= EXACT_NODE_LIMIT:
        labels = graph_dbscan(problem.units, graph, eps, min_samples)
    else:
        labels = exact_dbscan(problem.units, graph.multiplicities, eps, min_samples)
    source = "the default" if given is None else "as asked for"
    in_effect = {**parameters, "eps": eps, "auto_eps": False}
    reason = f"DBSCAN at eps {eps:.3g}, {source}."
    return describe_dbscan(problem, labels, reason, in_effect, is_asked_for=given is not None)


def describe_dbscan(
    problem: Problem,
    labels: IntArray,
    reason: str,
    parameters: Parameters,
    *,
    is_asked_for: bool = False,
    eps_curve: tuple[EpsPoint, ...] = (),
) -> Partition:
    """Return the partition of DBSCAN's labels, small clusters as noise."""
    minimum = resolve_min_cluster_size(parameters, problem.graph.row_count)
    why = f"fewer than {parameters['min_samples']} rows lie within eps of them or of a core row"
    labels, noise = drop_unclustered(problem, labels, minimum, why)
    in_effect = {**parameters, "min_cluster_size": minimum}
    return Partition(labels, "dbscan", reason, in_effect, noise, is_asked_for, eps_curve)


DBSCAN = Algorithm(
    name="dbscan",
    description=(
        "DBSCAN on cosine distance: clusters are regions in which every core row has min_samples"
        " rows within eps. Choose it for data with clear gaps, such as near-copies; on free text"
        " it tends to leave many rows as noise or to join all in one cluster."
    ),
    parameters=(
        ParameterSpec(
            "eps",
            "The cosine distance, 0 to 2, within which rows are neighbours. Unset: chosen from the"
            " data when auto_eps is on.",
            ParameterType.FLOAT,
            default=None,
            minimum=1e-6,
            maximum=2.0,
        ),
        ParameterSpec(
            "auto_eps",
            "Whether eps is chosen from the data when it is not given; else the service's default"
            " is taken.",
            ParameterType.BOOL,
            default=True,
        ),
        MIN_SAMPLES,
        replace(
            MIN_CLUSTER_SIZE,
            description="Rows of the smallest cluster; smaller ones become noise.",
            default=1,
        ),
    ),
    find=find,
    presets=(
        Preset(
            "near_copies", "Only rows that say almost the same.", {"eps": 0.1, "min_samples": 2}
        ),
    ),
)
