"""Results as messages, made one by one while they are sent: arrays are never copied whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster_svc.assign_model import Assigned
from cluster_svc.cluster_layers import Clustering, ClusterLayer
from cluster_svc.graph import NeighborGraph
from cluster_svc.jobs import LaidOut
from cluster_svc.landmarks import Landmarks
from cluster_svc.servicer.catalogue import parameter_messages
from cluster_svc.vectors import FloatArray, IntArray
from level_rpc.tensors import pack_tensor, split_array
from levelapi.cluster.v1 import cluster_service_pb2 as messages
from levelling.plans.picks import Selection

# Several arrays share a message of rows; each message has rows of all.
_ROWS_PER_MESSAGE = 2**16


def graph_responses(graph: NeighborGraph) -> Iterator[messages.ClusterResponse]:
    """Yield the size of a graph, then its arrays."""
    shape = messages.GraphShape(
        row_count=graph.row_count,
        node_count=graph.node_count,
        neighbor_count=graph.neighbor_count,
    )
    yield messages.ClusterResponse(graph_shape=shape)
    for block in split_array(graph.node_of_row):
        yield messages.ClusterResponse(graph=messages.GraphBlock(row_nodes=block))
    for block in split_array(graph.indices):
        yield messages.ClusterResponse(graph=messages.GraphBlock(indices=block))
    for block in split_array(graph.distances):
        yield messages.ClusterResponse(graph=messages.GraphBlock(distances=block))


def clustering_responses(clustering: Clustering) -> Iterator[messages.ClusterResponse]:
    """Yield the outcome, then each layer with its clusters and rows, then the landmarks."""
    yield messages.ClusterResponse(outcome=_outcome(clustering))
    for index, layer in enumerate(clustering.layers):
        yield from _layer_responses(index, layer)
    yield from _landmark_responses(clustering.landmarks)


def layout_responses(
    positions: FloatArray, frame_index: int, *, is_final: bool
) -> Iterator[messages.LayOutResponse]:
    """Yield a frame, then its positions."""
    frame = messages.LayoutFrame(frame_index=frame_index, is_final=is_final)
    yield messages.LayOutResponse(frame=frame)
    for block in split_array(positions):
        yield messages.LayOutResponse(positions=block)


def quality_response(laid_out: LaidOut) -> messages.LayOutResponse:
    """Return how good a layout is."""
    quality = messages.LayoutQuality(
        neighbor_preservation=laid_out.neighbor_preservation,
        own_hill_fraction=laid_out.own_hill_fraction,
    )
    return messages.LayOutResponse(quality=quality)


def assigned_responses(assigned: Assigned) -> Iterator[messages.AssignResponse]:
    """Yield the rows that were assigned."""
    arrays: dict[str, NDArray[Any]] = {
        "labels": assigned.labels,
        "nearest": assigned.nearest,
        "strengths": assigned.strengths,
    }
    if assigned.positions is not None:
        arrays["positions"] = assigned.positions
    for blocks in _split_together(arrays):
        yield messages.AssignResponse(rows=messages.AssignedBlock(**blocks))


def near_duplicates_responses(
    groups: IntArray,
) -> Iterator[messages.FindNearDuplicatesResponse]:
    """Yield the group of each row."""
    for block in split_array(groups):
        yield messages.FindNearDuplicatesResponse(groups=block)


def selection_responses(selection: Selection) -> Iterator[messages.SelectRowsResponse]:
    """Yield the summary of a choice, its rows, then its coverage."""
    summary = messages.SelectionSummary(
        row_count=len(selection.rows), coverage_distance=selection.coverage_distance
    )
    yield messages.SelectRowsResponse(summary=summary)
    for block in split_array(selection.rows):
        yield messages.SelectRowsResponse(rows=block)
    for block in split_array(selection.coverage):
        yield messages.SelectRowsResponse(coverage=block)


def _split_together(arrays: dict[str, NDArray[Any]]) -> Iterator[dict[str, Any]]:
    """Yield blocks of the same rows of each of the arrays."""
    splits = (split_array(array, _ROWS_PER_MESSAGE * array[:1].nbytes) for array in arrays.values())
    for blocks in zip(*splits, strict=True):
        yield dict(zip(arrays, blocks, strict=True))


def _outcome(clustering: Clustering) -> messages.ClusterOutcome:
    curve = (
        messages.EpsPoint(
            eps=point.eps,
            cluster_count=point.cluster_count,
            noise_fraction=point.noise_fraction,
            largest_cluster_fraction=point.largest_fraction,
        )
        for point in clustering.eps_curve
    )
    return messages.ClusterOutcome(
        algorithm=clustering.algorithm,
        reason=clustering.reason,
        parameters=parameter_messages(clustering.parameters),
        noise_count=clustering.noise_count,
        eps_curve=curve,
        layer_count=len(clustering.layers),
        graph_recall=clustering.graph_recall,
        layer_reason=clustering.layer_reason,
        noise_reason=clustering.noise.reason,
        sparse_count=clustering.noise.sparse_count,
        small_cluster_count=clustering.noise.small_cluster_count,
    )


def _layer_responses(index: int, layer: ClusterLayer) -> Iterator[messages.ClusterResponse]:
    message = messages.Layer(
        layer_index=index,
        first_cluster_id=layer.first_cluster_id,
        cluster_count=layer.cluster_count,
        is_terrain_layer=layer.is_terrain,
    )
    yield messages.ClusterResponse(layer=message)
    for number in range(layer.cluster_count):
        yield messages.ClusterResponse(cluster=_cluster(layer, number))
    arrays: dict[str, NDArray[Any]] = {
        "labels": layer.labels,
        "nearest": layer.nearest,
        "strengths": layer.strengths,
    }
    for blocks in _split_together(arrays):
        yield messages.ClusterResponse(rows=messages.RowBlock(**blocks))


def _cluster(layer: ClusterLayer, number: int) -> messages.Cluster:
    stability = layer.stability[number]
    return messages.Cluster(
        cluster_id=layer.first_cluster_id + number,
        size=int(layer.stats.sizes[number]),
        centroid=pack_tensor(layer.stats.centroids[number]),
        spread=float(layer.stats.spreads[number]),
        exemplar_row_ids=layer.exemplars[number].tolist(),
        parent_id=int(layer.parent_ids[number]),
        stability=None if np.isnan(stability) else float(stability),
    )


def _landmark_responses(landmarks: Landmarks) -> Iterator[messages.ClusterResponse]:
    arrays: dict[str, NDArray[Any]] = {
        "row_ids": landmarks.row_ids,
        "reaches": landmarks.reaches,
    }
    for blocks in _split_together(arrays):
        yield messages.ClusterResponse(landmarks=messages.Landmarks(**blocks))
