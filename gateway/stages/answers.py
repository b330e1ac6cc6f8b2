"""Answers of the cluster service, put together from their messages and checked."""

from typing import Any

import numpy as np

from gateway.pipeline_types import Clustering, Layer, NeighborGraph, OnProgress
from gateway.stages.messages import to_cluster_stats, to_outcome_dict
from level_rpc.errors import Unavailable
from level_rpc.tensors import ArrayAssembler, unpack_tensor


class ClusterAnswer:
    """Collects the messages of one Cluster call."""

    def __init__(self, row_count: int, dimension_count: int, on_progress: OnProgress) -> None:
        self._row_count = row_count
        self._dimension_count = dimension_count
        self._on_progress = on_progress
        self._graph: _GraphParts | None = None
        self._outcome: dict[str, Any] = {}
        self._layers: list[_LayerParts] = []

    def add(self, message: Any) -> None:
        """Take the next message."""
        match message.WhichOneof("payload"):
            case "progress":
                self._on_progress(message.progress.fraction_done)
            case "graph_shape":
                self._graph = _GraphParts(message.graph_shape)
            case "graph" if self._graph:
                self._graph.add(message.graph)
            case "outcome":
                self._outcome = to_outcome_dict(message.outcome)
            case "layer":
                self._layers.append(_LayerParts(message.layer, self._row_count))
            case "cluster" if self._layers:
                self._layers[-1].clusters.append(message.cluster)
            case "rows" if self._layers:
                self._layers[-1].add_rows(message.rows)

    def finish(self) -> Clustering:
        """Return the whole answer; raise when a part of it is missing."""
        if self._graph is None or not self._layers or not self._outcome:
            raise Unavailable("The cluster service ended its answer early; try again.")
        layers = tuple(part.finish(self._dimension_count) for part in self._layers)
        return Clustering(self._graph.finish(), layers, self._outcome)


class _GraphParts:
    def __init__(self, shape: Any) -> None:
        neighbors = (shape.neighbor_count,)
        self._parts = {
            "row_nodes": ArrayAssembler("row_nodes", np.int32, shape.row_count),
            "indices": ArrayAssembler("indices", np.int32, shape.node_count, neighbors),
            "distances": ArrayAssembler("distances", np.float32, shape.node_count, neighbors),
        }

    def add(self, block: Any) -> None:
        name = block.WhichOneof("array")
        self._parts[name].add(getattr(block, name))

    def finish(self) -> NeighborGraph:
        return NeighborGraph(**{name: part.finish() for name, part in self._parts.items()})


class _LayerParts:
    def __init__(self, layer: Any, row_count: int) -> None:
        self._layer = layer
        self.clusters: list[Any] = []
        self._labels = ArrayAssembler("labels", np.int32, row_count)
        self._nearest = ArrayAssembler("nearest", np.int32, row_count)
        self._strengths = ArrayAssembler("strengths", np.float32, row_count)

    def add_rows(self, rows: Any) -> None:
        self._labels.add(rows.labels)
        self._nearest.add(rows.nearest)
        self._strengths.add(rows.strengths)

    def finish(self, dimension_count: int) -> Layer:
        centroids = [unpack_tensor(one.centroid) for one in self.clusters]
        empty = np.zeros((0, dimension_count), np.float32)
        return Layer(
            layer_index=self._layer.layer_index,
            is_terrain_layer=self._layer.is_terrain_layer,
            clusters=tuple(to_cluster_stats(one) for one in self.clusters),
            centroids=np.stack(centroids) if centroids else empty,
            labels=self._labels.finish(),
            nearest=self._nearest.finish(),
            strengths=self._strengths.finish(),
        )
