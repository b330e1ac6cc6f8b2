"""Vectors in, clusters out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from cluster_svc.algorithms.dbscan import estimate_optimal_eps, exact_dbscan
from cluster_svc.algorithms.specification import EpsPoint, Parameters, Problem, Value
from cluster_svc.exemplars import sample_all_clusters, sample_cluster, sample_unit_clusters
from cluster_svc.graph import DEFAULT_NEIGHBOR_COUNT, NeighborGraph, build_graph, measure_recall
from cluster_svc.registry import choose_algorithm
from cluster_svc.statistics import (
    ClusterStats,
    calculate_cluster_stats,
    measure_membership,
    unit_cluster_stats,
)
from cluster_svc.vectors import (
    FloatArray,
    IntArray,
    check_vectors,
    merge_identical_rows,
    normalize_rows,
)
from level_rpc.errors import FieldInvalid

__all__ = [
    "Clustering",
    "Stage",
    "calculate_cluster_stats",
    "cluster_embeddings",
    "estimate_optimal_eps",
    "run_clustering",
    "sample_all_clusters",
    "sample_cluster",
]


class Stage(StrEnum):
    """A step of the work, in order."""

    QUEUED = "queued"
    RECEIVING = "receiving"
    NEIGHBORS = "neighbors"
    CLUSTERS = "clusters"
    STATISTICS = "statistics"
    LAYOUT = "layout"


ReportProgress = Callable[[Stage, float], None]

# Where in the whole work each step begins; measured on 13,000 rows.
_NEIGHBORS_SHARE = 0.8
_CLUSTERS_SHARE = 0.95


@dataclass(frozen=True)
class Clustering:
    """One layer of clusters over all rows.

    Attributes
    ----------
    labels : int32 array of shape (rows,)
        Cluster ids from 0, largest cluster first, ties by first row; -1 for noise.
    nearest : int32 array of shape (rows,)
        The own cluster of a clustered row, the one with the nearest centroid of a noise row; -1
        when there is no cluster.
    strengths : float32 array of shape (rows,)
        How firmly each row belongs to ``nearest``, 0 to 1; see `measure_membership`.
    stats : ClusterStats
        Size, centroid and spread of each cluster.
    exemplars
        For each cluster the rows nearest to its centroid, nearest first.
    algorithm : str
        The algorithm that gave the labels; for ``auto``, the one it chose.
    reason : str
        One sentence for people: why this one and what it found.
    parameters
        Every parameter in effect, automatic choices included.
    eps_curve
        The curve behind an automatic eps, by rising eps; empty without one.
    graph_recall : float
        Share of true neighbours in the graph, 0 to 1.
    """

    labels: IntArray
    nearest: IntArray
    strengths: FloatArray
    stats: ClusterStats
    exemplars: tuple[NDArray[np.int64], ...]
    algorithm: str
    reason: str
    parameters: Parameters
    eps_curve: tuple[EpsPoint, ...]
    graph_recall: float

    @property
    def noise_count(self) -> int:
        """Rows in no cluster."""
        return int((self.labels < 0).sum())


def cluster_embeddings(vectors: FloatArray, eps: float = 0.5, min_samples: int = 5) -> IntArray:
    """Return the labels of plain DBSCAN on cosine distance, equal to scikit-learn's but for ids.

    Parameters
    ----------
    vectors : float32 array of shape (rows, dimensions)
        Finite; of any length.
    eps : float
        Cosine distance, above 0 to 2.
    min_samples : int
        Rows within eps, the row itself counted, that make a core point.

    Returns
    -------
    int32 array of shape (rows,)
        Cluster ids from 0, largest first, ties by first row; -1 for noise.

    Raises
    ------
    ParameterInvalid
        A parameter is out of range.
    TooFewRows
        There is no row.
    """
    choose_algorithm("dbscan", {"eps": eps, "min_samples": min_samples})
    check_vectors(vectors)
    node_of_row, first_rows = merge_identical_rows(vectors)
    units = normalize_rows(vectors[first_rows])
    labels = exact_dbscan(units, np.bincount(node_of_row), eps, min_samples)
    return rank_by_size(labels[node_of_row])


def run_clustering(
    vectors: FloatArray,
    algorithm: str = "auto",
    parameters: Mapping[str, Value] | None = None,
    seed: int = 0,
    *,
    graph: NeighborGraph | None = None,
    neighbor_count: int = DEFAULT_NEIGHBOR_COUNT,
    exemplar_count: int = 5,
    default_eps: float = 0.5,
    report: ReportProgress = lambda stage, fraction: None,
    on_graph: Callable[[NeighborGraph], None] = lambda graph: None,
) -> Clustering:
    """Return the clusters of the rows by any algorithm of the registry.

    Equal arguments give an equal result.

    Parameters
    ----------
    vectors : float32 array of shape (rows, dimensions)
        Finite; of any length. Zero vectors are at distance 1 from all others.
    algorithm : str
        A name of the registry; empty for ``auto``.
    parameters
        Those that differ from their defaults.
    seed : int
        Of every random choice, 0 to 2^32 - 1.
    graph : NeighborGraph, optional
        The stored graph of these vectors, when there is one.
    neighbor_count : int
        Neighbours of each node when the graph is to be built, 2 to 200.
    exemplar_count : int
        Exemplars of each cluster, 1 to 10.
    default_eps : float
        The eps of ``dbscan`` where automatic eps is off and none is given.
    report
        Called with the stage and the fraction of the whole work done.
    on_graph
        Called with the graph as soon as it was built; not when it was given.

    Raises
    ------
    UnknownAlgorithm, ParameterInvalid
        See `choose_algorithm`.
    TooFewRows
        There is no row.
    FieldInvalid
        A vector is not finite, or the graph is not of these vectors.
    """
    chosen, complete = choose_algorithm(algorithm, parameters or {})
    check_vectors(vectors)
    if graph is None:
        graph = _build_graph(vectors, neighbor_count, seed, report)
        on_graph(graph)
    else:
        _check_graph(graph, len(vectors))
    report(Stage.CLUSTERS, _NEIGHBORS_SHARE)
    units = normalize_rows(vectors)
    problem = Problem(units[graph.first_rows], graph, seed, default_eps)
    partition = chosen.find(problem, complete)
    report(Stage.STATISTICS, _CLUSTERS_SHARE)
    labels = rank_by_size(partition.labels[graph.node_of_row])
    stats = unit_cluster_stats(units, labels)
    nearest, strengths = measure_membership(units, labels, stats.centroids)
    exemplars = sample_unit_clusters(
        units, graph.node_of_row, labels, stats.centroids, exemplar_count
    )
    return Clustering(
        labels=labels,
        nearest=nearest,
        strengths=strengths,
        stats=stats,
        exemplars=tuple(exemplars),
        algorithm=partition.algorithm,
        reason=partition.reason,
        parameters=partition.parameters,
        eps_curve=partition.eps_curve,
        graph_recall=measure_recall(graph, vectors, seed=seed),
    )


def rank_by_size(labels: IntArray) -> IntArray:
    """Return the labels renumbered from 0, largest cluster first, ties by first row; -1 stays."""
    clustered = labels >= 0
    _, first, inverse, sizes = np.unique(
        labels[clustered], return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(sizes), np.int32)
    rank[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    ranked = np.full(len(labels), -1, np.int32)
    ranked[clustered] = rank[inverse]
    return ranked


def _build_graph(
    vectors: FloatArray, neighbor_count: int, seed: int, report: ReportProgress
) -> NeighborGraph:
    return build_graph(
        vectors,
        neighbor_count,
        seed=seed,
        report=lambda fraction: report(Stage.NEIGHBORS, _NEIGHBORS_SHARE * fraction),
    )


def _check_graph(graph: NeighborGraph, row_count: int) -> None:
    if graph.row_count != row_count:
        raise FieldInvalid(
            f"the graph is of {graph.row_count} rows, {row_count} vectors came",
            field="graph_shape.row_count",
        )
    graph.check()
