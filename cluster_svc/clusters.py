"""Vectors in, clusters out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from cluster_svc.algorithms.eps import estimate_optimal_eps
from cluster_svc.algorithms.exact_dbscan import dbscan_rows
from cluster_svc.algorithms.specification import (
    Partition,
    Problem,
    Value,
)
from cluster_svc.cluster_layers import Clustering, ClusterLayer, describe_layers
from cluster_svc.communities.layers import Layers, build_layers, find_layers_again
from cluster_svc.communities.stability import measure_stability, repeat_on_samples
from cluster_svc.compiled import ReportFraction
from cluster_svc.exemplars import (
    DEFAULT_EXEMPLAR_COUNT,
    ExemplarKind,
    sample_all_clusters,
    sample_cluster,
)
from cluster_svc.graph import DEFAULT_NEIGHBOR_COUNT, NeighborGraph, build_graph, measure_recall
from cluster_svc.landmarks import Landmarks, choose_landmarks
from cluster_svc.neighbors import NeighborSearch
from cluster_svc.neighbors.blas import one_blas_thread
from cluster_svc.progress import ReportProgress, Stage, StageProgress, ignore_progress, part_of
from cluster_svc.ranking import rank_by_size, rank_layers
from cluster_svc.registry import choose_algorithm
from cluster_svc.statistics import ClusterStats, calculate_cluster_stats
from cluster_svc.vectors import (
    FloatArray,
    IntArray,
    check_vectors,
    normalize_rows,
)
from cluster_svc.workload import Workload, expected_seconds
from level_rpc.errors import FieldInvalid

__all__ = [
    "ClusterLayer",
    "ClusterStats",
    "Clustering",
    "calculate_cluster_stats",
    "cluster_embeddings",
    "estimate_optimal_eps",
    "rank_by_size",
    "run_clustering",
    "sample_all_clusters",
    "sample_cluster",
]

# Of the stages that consist of several parts.
_BUILDING_SHARE = 0.5
_DESCRIBING_SHARE = 0.6
_CHOOSING_SHARE = 0.8


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
    return rank_by_size(dbscan_rows(vectors, eps, min_samples))


def run_clustering(
    vectors: FloatArray,
    algorithm: str = "auto",
    parameters: Mapping[str, Value] | None = None,
    seed: int = 0,
    *,
    graph: NeighborGraph | None = None,
    neighbor_count: int = DEFAULT_NEIGHBOR_COUNT,
    exemplar_count: int = DEFAULT_EXEMPLAR_COUNT,
    exemplar_kind: ExemplarKind = ExemplarKind.CENTRAL,
    default_eps: float = 0.5,
    thread_count: int = 1,
    search: NeighborSearch | None = None,
    report: ReportProgress = ignore_progress,
    on_graph: Callable[[NeighborGraph], None] = lambda graph: None,
) -> Clustering:
    """Return the clusters of the rows, in layers, by any algorithm of the registry.

    Equal arguments give an equal result, on any number of threads.

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
    exemplar_kind : ExemplarKind
        Which rows stand for a cluster.
    default_eps : float
        The eps of ``dbscan`` where automatic eps is off and none is given.
    thread_count : int
        Threads that compute at once, at least 1.
    search : NeighborSearch, optional
        What seeks the neighbours instead of this process.
    report
        Called with the stage and the fraction of the whole work done, which never falls.
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
    if graph is not None:
        _check_graph(graph, len(vectors))
    rows, dimensions = vectors.shape
    work = Workload(rows, dimensions, neighbor_count, chosen.name, has_graph=graph is not None)
    stages = StageProgress(expected_seconds(work), report)
    with one_blas_thread():
        if graph is None:
            graph = build_graph(
                vectors,
                neighbor_count,
                seed=seed,
                thread_count=thread_count,
                search=search,
                report=stages.begin(Stage.NEIGHBORS),
            )
            on_graph(graph)
        stages.begin(Stage.CLUSTERS)
        units = normalize_rows(vectors, graph.first_rows, thread_count=thread_count)
        problem = Problem(units, graph, seed, default_eps, thread_count)
        partition = chosen.find(problem, complete)
        return _describe(
            vectors,
            problem,
            partition,
            stages,
            exemplar_count=exemplar_count,
            exemplar_kind=exemplar_kind,
        )


def _describe(
    vectors: FloatArray,
    problem: Problem,
    partition: Partition,
    stages: StageProgress,
    *,
    exemplar_count: int,
    exemplar_kind: ExemplarKind,
) -> Clustering:
    """Return the layers around a partition with all their figures."""
    graph, seed, thread_count = problem.graph, problem.seed, problem.thread_count
    report = stages.begin(Stage.LAYERS)
    layers = build_layers(
        problem.weights,
        partition.labels,
        graph.multiplicities,
        problem.units,
        is_asked_for=partition.is_asked_for,
        seed=seed,
    )
    report(_BUILDING_SHARE)
    stability = _measure_stability(problem, layers, part_of(report, _BUILDING_SHARE, 1))
    report = stages.begin(Stage.STATISTICS)
    described = describe_layers(
        problem.units,
        graph,
        rank_layers(layers, stability, graph),
        exemplar_count=exemplar_count,
        exemplar_kind=exemplar_kind,
        thread_count=thread_count,
        report=part_of(report, 0, _DESCRIBING_SHARE),
    )
    landmarks = _choose_landmarks(
        problem, partition, layers, part_of(report, _DESCRIBING_SHARE, _CHOOSING_SHARE)
    )
    recall = measure_recall(graph, vectors, seed=seed, thread_count=thread_count)
    report(1.0)
    return Clustering(
        layers=described,
        algorithm=partition.algorithm,
        reason=partition.reason,
        parameters=partition.parameters,
        eps_curve=partition.eps_curve,
        noise=partition.noise,
        layer_reason=layers.reason,
        graph_recall=recall,
        landmarks=landmarks,
    )


def _choose_landmarks(
    problem: Problem, partition: Partition, layers: Layers, report: ReportFraction
) -> Landmarks:
    threshold = partition.parameters.get("noise_threshold")
    return choose_landmarks(
        problem.units,
        problem.graph,
        layers.terrain,
        layers.labels[0],
        noise_threshold=None if threshold is None else float(threshold),
        seed=problem.seed,
        thread_count=problem.thread_count,
        report=report,
    )


def _measure_stability(
    problem: Problem, layers: Layers, report: ReportFraction
) -> list[NDArray[np.float64]]:
    """Return for each layer how well its clusters survive other seeds and samples of the rows."""
    row_counts = problem.graph.multiplicities
    runs = repeat_on_samples(
        lambda is_present, seed: find_layers_again(
            problem.weights, layers, problem.units, is_present, seed
        ),
        row_counts,
        seed=problem.seed,
        thread_count=problem.thread_count,
        report=report,
    )
    return [
        measure_stability(labels, found, row_counts)
        for labels, found in zip(layers.labels, runs, strict=True)
    ]


def _check_graph(graph: NeighborGraph, row_count: int) -> None:
    if graph.row_count != row_count:
        raise FieldInvalid(
            f"the graph is of {graph.row_count} rows, {row_count} vectors came",
            field="graph_shape.row_count",
        )
    graph.check()
