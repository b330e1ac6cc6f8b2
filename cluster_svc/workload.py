"""How long the stages of a clustering may take: what progress is measured against."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cluster_svc.landmarks import LANDMARK_LIMIT
from cluster_svc.neighbors import EXACT_NODE_LIMIT
from cluster_svc.progress import Stage

# Seconds on one core, fitted to 10,000 and to 100,000 rows of 384 numbers. Only their proportions
# count, and a factor of two is near enough.
_PER_BYTE_RECEIVED = 1.2e-9
_PER_PRODUCT = 2.5e-11
_PER_EDGE_SOUGHT = 7e-6
_PER_EDGE_OF_CLUSTERS = 8e-6
_PER_EDGE_OF_LAYERS = 5e-6

# Over all layers, however many rows; but a cluster has some.
_MOST_CENTROIDS = 800
_ROWS_PER_CENTROID = 15

# Similarities to centroids are also looked through.
_PRODUCTS_PER_SIMILARITY = 2


@dataclass(frozen=True)
class Workload:
    """What is asked of a clustering.

    Attributes
    ----------
    row_count, dimension_count : int
        Of the vectors.
    neighbor_count : int
        Neighbours of each row in the graph.
    algorithm : str
        Empty for the default.
    has_graph : bool
        Whether the graph came with the vectors.
    """

    row_count: int
    dimension_count: int
    neighbor_count: int
    algorithm: str = ""
    has_graph: bool = False


def expected_seconds(work: Workload) -> dict[Stage, float]:
    """Return how long each stage of the computing may take, in their order."""
    rows = work.row_count
    edges = rows * work.neighbor_count
    seconds = {
        Stage.NEIGHBORS: 0.0 if work.has_graph else _seconds_of_search(work),
        Stage.CLUSTERS: _seconds_of_algorithm(work),
        Stage.LAYERS: edges * _PER_EDGE_OF_LAYERS,
        Stage.STATISTICS: _seconds_of_statistics(work),
    }
    return {stage: part + 1e-3 for stage, part in seconds.items()}


def receiving_share(work: Workload) -> float:
    """Return which part of a call's time goes into receiving the vectors, 0 to 1."""
    seconds = 4 * work.row_count * work.dimension_count * _PER_BYTE_RECEIVED
    return seconds / (seconds + sum(expected_seconds(work).values()))


def _seconds_of_search(work: Workload) -> float:
    """Every pair of few rows is compared, some pairs of many."""
    rows, dimensions = work.row_count, work.dimension_count
    if rows <= EXACT_NODE_LIMIT:
        return rows * rows * dimensions * _PER_PRODUCT
    return rows * work.neighbor_count * _PER_EDGE_SOUGHT * dimensions / 384


def _seconds_of_algorithm(work: Workload) -> float:
    """Of those that do not work on the graph, all pairs or many passes over the vectors."""
    rows, dimensions = work.row_count, work.dimension_count
    on_graph = rows * work.neighbor_count * _PER_EDGE_OF_CLUSTERS
    match work.algorithm:
        case "dbscan":
            return on_graph + rows * rows * dimensions * _PER_PRODUCT
        case "kmeans":
            return on_graph + 50 * rows * dimensions * math.sqrt(rows) * _PER_PRODUCT
        case _:
            return on_graph


def _seconds_of_statistics(work: Workload) -> float:
    """Every row is compared with all centroids, and where there are many, some with many."""
    centroids = min(_MOST_CENTROIDS, work.row_count / _ROWS_PER_CENTROID)
    landmarks = LANDMARK_LIMIT if work.row_count > EXACT_NODE_LIMIT else 0
    products = _PRODUCTS_PER_SIMILARITY * work.row_count * centroids + landmarks * landmarks
    return products * work.dimension_count * _PER_PRODUCT
