"""Compiles what jobs will need, before the first one comes."""

from __future__ import annotations

import numpy as np

from cluster_svc.assign import assign_rows
from cluster_svc.assign_model import AssignModel
from cluster_svc.cluster_layers import Clustering
from cluster_svc.clusters import run_clustering
from cluster_svc.graph import NeighborGraph
from cluster_svc.layout import lay_out
from cluster_svc.layout.quality import neighbor_preservation, own_hill_fraction
from cluster_svc.neighbors import approximate_neighbors, sample_recall
from cluster_svc.vectors import FloatArray, normalize_rows

# So few that they take little time, so many that they have clusters, layers and a coarser layout.
_ROW_COUNT = 800
_DIMENSION_COUNT = 8


def warm_up() -> None:
    """Do a small one of every kind of job, in the order in which they come."""
    random = np.random.default_rng(0)
    vectors = random.normal(size=(_ROW_COUNT, _DIMENSION_COUNT)).astype(np.float32)
    graphs: list[NeighborGraph] = []
    clustering = run_clustering(vectors, on_graph=graphs.append)
    positions = _lay_out(graphs[0], clustering)
    _assign(vectors, clustering, positions)
    _search_as_many(normalize_rows(vectors), graphs[0].neighbor_count)


def _lay_out(graph: NeighborGraph, clustering: Clustering) -> FloatArray:
    positions = lay_out(graph, labels=clustering.terrain.labels)
    neighbor_preservation(graph, positions)
    own_hill_fraction(positions, clustering.terrain.labels)
    return positions


def _assign(vectors: FloatArray, clustering: Clustering, positions: FloatArray) -> None:
    landmarks = clustering.landmarks
    rows = landmarks.row_ids
    model = AssignModel(
        vectors=vectors[rows],
        labels=clustering.terrain.labels[rows],
        reaches=landmarks.reaches,
        positions=positions[rows],
    )
    assign_rows(model, vectors)


def _search_as_many(units: FloatArray, neighbor_count: int) -> None:
    """Seek neighbours in the way that is meant for far more rows."""
    _, distances = approximate_neighbors(units, neighbor_count)
    rows = np.arange(len(units))
    sample_recall(units, rows, rows[:1], distances[:1])
