"""DBSCAN on cosine distance, with an eps that is given or chosen from the data.

Source: M. Ester, H.-P. Kriegel, J. Sander, X. Xu, "A density-based algorithm for discovering
clusters in large spatial databases with noise", KDD 1996.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cluster_svc.algorithms.density_tree import DensityTree, number_by_first
from cluster_svc.algorithms.radius import count_within, first_label_within, link_within
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
    count_rows,
    drop_small_clusters,
    resolve_min_cluster_size,
)
from cluster_svc.graph import NeighborGraph
from cluster_svc.vectors import FloatArray, IntArray

# Enough to hit the narrow window in which DBSCAN separates real text, at a millisecond each.
_EPS_COUNT = 60

# Rows with clear gaps between clusters leave next to no noise; text at its best eps leaves a sixth
# to a third, and communities then agree better with what people call topics.
MOST_NOISE = 0.10
LARGEST_SHARE = 0.50


@dataclass(frozen=True)
class EpsEstimate:
    """An automatic eps and what led to it.

    Attributes
    ----------
    eps : float
        Cosine distance, 0 to 2.
    labels : int32 array of shape (nodes,)
        DBSCAN's labels at that eps, -1 for noise.
    curve
        What each eps tried gives, by rising eps.
    """

    eps: float
    labels: IntArray
    curve: tuple[EpsPoint, ...]

    @property
    def chosen(self) -> EpsPoint:
        """The point of the curve that was chosen."""
        return next(point for point in self.curve if point.eps == self.eps)


def estimate_optimal_eps(
    graph: NeighborGraph, min_samples: int = 5, eps_count: int = _EPS_COUNT
) -> EpsEstimate:
    """Return the eps at which DBSCAN's clusters share out the rows best.

    All eps of a grid of quantiles of the core distances are tried from one spanning tree. The one
    with the highest entropy of cluster shares, ``-sum(p * log(p))`` with p a cluster's share of all
    rows, wins: noise, one giant cluster and many crumbs all lower it. Where some eps separate the
    rows clearly (at most 10 % noise, no cluster with over half of the rows), the best of those
    wins: entropy alone would cut clear groups into crumbs and noise. The knee of the k-distance
    curve, the usual rule, merges real text into one cluster.

    Parameters
    ----------
    graph : NeighborGraph
    min_samples : int
        As for DBSCAN.
    eps_count : int
        The most eps to try.
    """
    tree = DensityTree.grow(graph, min_samples)
    best, best_score, points = (2.0, tree.cut(2.0)), (False, -1.0), []
    for eps in eps_grid(tree.core, eps_count):
        labels = tree.cut(eps)
        shares = count_rows(labels, graph) / graph.row_count
        points.append(_describe(eps, shares))
        score = (_separates(shares), float(-(shares * np.log(shares)).sum()))
        if score > best_score:
            best, best_score = (eps, labels), score
    return EpsEstimate(best[0], best[1], tuple(points))


def _separates(shares: NDArray[np.float64]) -> bool:
    return len(shares) > 1 and shares.max() <= LARGEST_SHARE and 1 - shares.sum() <= MOST_NOISE


def eps_grid(core: FloatArray, eps_count: int) -> list[float]:
    """Return rising eps to try: quantiles of the core distances, or 2 when there are none."""
    finite = core[np.isfinite(core)]
    if len(finite) == 0:
        return [2.0]
    return [float(eps) for eps in np.unique(np.quantile(finite, np.linspace(0.02, 1, eps_count)))]


def _describe(eps: float, shares: NDArray[np.float64]) -> EpsPoint:
    largest = float(shares.max(initial=0.0))
    return EpsPoint(eps, len(shares), max(0.0, 1 - float(shares.sum())), largest)


def exact_dbscan(
    units: FloatArray, multiplicities: NDArray[np.int64], eps: float, min_samples: int
) -> IntArray:
    """Return DBSCAN's label of each node, from true radius neighbours, as scikit-learn gives them.

    Three passes of blocked matrix products, n^2 time, memory linear in the nodes.

    Parameters
    ----------
    units : float32 array of shape (nodes, dimensions)
        Distinct vectors of length 1 or 0.
    multiplicities : int64 array of shape (nodes,)
        The rows of each node.
    eps : float
        Cosine distance, ends included.
    min_samples : int
        Rows within eps, the row itself counted, that make a core point.

    Returns
    -------
    int32 array of shape (nodes,)
        Clusters from 0 by first core row; a border point goes to the first cluster that has a
        core point within eps; -1 for noise.
    """
    is_core = count_within(units, multiplicities, eps) >= min_samples
    labels = number_by_first(link_within(units, is_core, eps), is_core)
    border = np.flatnonzero(~is_core)
    labels[border] = first_label_within(units, border, labels, eps)
    return labels


def find(problem: Problem, parameters: Parameters) -> Partition:
    """Return the clusters of DBSCAN at the given eps, else at an automatic one."""
    if parameters["eps"] is None and parameters["auto_eps"]:
        partition = _find_automatic(problem, parameters)
    else:
        partition = _find_exact(problem, parameters)
    minimum = resolve_min_cluster_size(parameters, problem.graph.row_count)
    labels = drop_small_clusters(partition.labels, problem.graph, minimum)
    in_effect = {**partition.parameters, "min_cluster_size": minimum}
    return replace(partition, labels=labels, parameters=in_effect)


def _find_automatic(problem: Problem, parameters: Parameters) -> Partition:
    estimate = estimate_optimal_eps(problem.graph, int(parameters["min_samples"] or 0))
    reason = (
        f"DBSCAN at eps {estimate.eps:.3g}, the eps of {len(estimate.curve)} tried at which the"
        " clusters share out the rows best."
    )
    in_effect = {**parameters, "eps": estimate.eps}
    return Partition(estimate.labels, "dbscan", reason, in_effect, estimate.curve)


def _find_exact(problem: Problem, parameters: Parameters) -> Partition:
    given = parameters["eps"]
    eps = problem.default_eps if given is None else float(given)
    labels = exact_dbscan(
        problem.units, problem.graph.multiplicities, eps, int(parameters["min_samples"] or 0)
    )
    source = "the default" if given is None else "as asked for"
    in_effect = {**parameters, "eps": eps, "auto_eps": False}
    return Partition(labels, "dbscan", f"DBSCAN at eps {eps:.3g}, {source}.", in_effect)


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
