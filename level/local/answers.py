"""What the cluster service's modules give, as the pipeline's values."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from gateway.pipeline_types import Clustering, ClusterStats, Landmarks, Layer, NeighborGraph

if TYPE_CHECKING:
    from cluster_svc import cluster_layers
    from cluster_svc import graph as service_graph


def to_graph(graph: service_graph.NeighborGraph) -> NeighborGraph:
    """Return a neighbour graph."""
    return NeighborGraph(graph.node_of_row, graph.indices, graph.distances)


def to_clustering(clustering: cluster_layers.Clustering, graph: NeighborGraph) -> Clustering:
    """Return all layers of a clustering, and what was done and why."""
    layers = tuple(_to_layer(index, layer) for index, layer in enumerate(clustering.layers))
    landmarks = Landmarks(clustering.landmarks.row_ids, clustering.landmarks.reaches)
    return Clustering(graph, layers, landmarks, _to_outcome(clustering))


def _to_layer(index: int, layer: cluster_layers.ClusterLayer) -> Layer:
    clusters = (_to_stats(layer, number) for number in range(layer.cluster_count))
    return Layer(
        layer_index=index,
        is_terrain_layer=layer.is_terrain,
        clusters=tuple(clusters),
        centroids=layer.stats.centroids,
        labels=layer.labels,
        nearest=layer.nearest,
        strengths=layer.strengths,
    )


def _to_stats(layer: cluster_layers.ClusterLayer, number: int) -> ClusterStats:
    stability = float(layer.stability[number])
    return ClusterStats(
        cluster_id=layer.first_cluster_id + number,
        size=int(layer.stats.sizes[number]),
        spread=float(layer.stats.spreads[number]),
        exemplar_row_ids=tuple(layer.exemplars[number].tolist()),
        parent_id=int(layer.parent_ids[number]),
        stability=None if np.isnan(stability) else stability,
    )


def _to_outcome(clustering: cluster_layers.Clustering) -> dict[str, Any]:
    noise = asdict(clustering.noise)
    curve = [
        {
            "eps": point.eps,
            "cluster_count": point.cluster_count,
            "noise_fraction": point.noise_fraction,
            "largest_cluster_fraction": point.largest_fraction,
        }
        for point in clustering.eps_curve
    ]
    parameters = clustering.parameters.items()
    return {
        "algorithm": clustering.algorithm,
        "reason": clustering.reason,
        "parameters": {name: value for name, value in parameters if value is not None},
        "noise_count": clustering.noise_count,
        "noise": {
            "count": clustering.noise_count,
            "reason": noise["reason"],
            "sparse_count": noise["sparse_count"],
            "small_cluster_count": noise["small_cluster_count"],
        },
        "layer_count": len(clustering.layers),
        "layer_reason": clustering.layer_reason,
        "graph_recall": clustering.graph_recall,
        "eps_curve": curve,
    }
