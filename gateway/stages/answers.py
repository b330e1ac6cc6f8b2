"""Answers of the cluster service, put together from their messages and checked."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gateway.pipeline_types import (
    AssignedRows,
    Clustering,
    Landmarks,
    Layer,
    Layout,
    NeighborGraph,
    OnDraft,
    OnProgress,
)
from gateway.stages.messages import to_cluster_stats, to_outcome_dict
from gateway.stages.nesting import check_layers
from level_rpc.errors import Internal, Unavailable
from level_rpc.tensors import ArrayAssembler, unpack_tensor

_ENDED_EARLY = "The cluster service ended its answer early; try again."


class ClusterAnswer:
    """Collects the messages of one Cluster call."""

    def __init__(self, row_count: int, dimension_count: int, on_progress: OnProgress) -> None:
        self._row_count = row_count
        self._dimension_count = dimension_count
        self._on_progress = on_progress
        self._graph: _GraphParts | None = None
        self._outcome: dict[str, Any] = {}
        self._layers: list[_LayerParts] = []
        self._landmark_rows = _Growing("landmarks.row_ids", np.int64, row_count)
        self._landmark_reaches = _Growing("landmarks.reaches", np.float32, row_count)

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
            case "landmarks":
                self._landmark_rows.add(message.landmarks.row_ids)
                self._landmark_reaches.add(message.landmarks.reaches)

    def finish(self) -> Clustering:
        """Return the whole answer; raise when a part of it is missing or does not fit."""
        if self._graph is None or not self._outcome or not self._layers:
            raise Unavailable(_ENDED_EARLY)
        if len(self._layers) != self._outcome["layer_count"]:
            raise Unavailable(_ENDED_EARLY)
        layers = tuple(part.finish(self._dimension_count) for part in self._layers)
        check_layers(layers)
        landmarks = Landmarks(self._landmark_rows.finish(), self._landmark_reaches.finish())
        return Clustering(self._graph.finish(), layers, landmarks, self._outcome)


class LayOutAnswer:
    """Collects the messages of one LayOut call."""

    def __init__(self, row_count: int, on_progress: OnProgress, on_draft: OnDraft | None) -> None:
        self._row_count = row_count
        self._on_progress = on_progress
        self._on_draft = on_draft
        self._positions: ArrayAssembler | None = None
        self._is_final = False
        self._quality: Any = None

    def add(self, message: Any) -> None:
        """Take the next message."""
        match message.WhichOneof("payload"):
            case "progress":
                self._on_progress(message.progress.fraction_done)
            case "frame":
                self._end_draft()
                self._positions = ArrayAssembler("positions", np.float32, self._row_count, (2,))
                self._is_final = message.frame.is_final
            case "positions" if self._positions:
                self._positions.add(message.positions)
            case "quality":
                self._quality = message.quality

    def finish(self) -> Layout:
        """Return the final layout; raise when it did not come."""
        if self._positions is None or not self._is_final or self._quality is None:
            raise Unavailable(_ENDED_EARLY)
        has_hills = self._quality.HasField("own_hill_fraction")
        return Layout(
            positions=self._positions.finish(),
            neighbor_preservation=self._quality.neighbor_preservation,
            own_hill_fraction=self._quality.own_hill_fraction if has_hills else None,
        )

    def _end_draft(self) -> None:
        if self._positions is not None and self._on_draft is not None:
            self._on_draft(self._positions.finish())


class AssignAnswer:
    """Collects the messages of one Assign call."""

    def __init__(self, row_count: int, has_positions: bool, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._parts = {
            "labels": ArrayAssembler("labels", np.int32, row_count),
            "nearest": ArrayAssembler("nearest", np.int32, row_count),
            "strengths": ArrayAssembler("strengths", np.float32, row_count),
        }
        if has_positions:
            self._parts["positions"] = ArrayAssembler("positions", np.float32, row_count, (2,))

    def add(self, message: Any) -> None:
        """Take the next message."""
        match message.WhichOneof("payload"):
            case "progress":
                self._on_progress(message.progress.fraction_done)
            case "rows":
                for name, part in self._parts.items():
                    part.add(getattr(message.rows, name))

    def finish(self) -> AssignedRows:
        """Return what every row got; raise when rows are missing."""
        arrays = {name: part.finish() for name, part in self._parts.items()}
        return AssignedRows(
            arrays["labels"], arrays["nearest"], arrays["strengths"], arrays.get("positions")
        )


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
        if len(self.clusters) != self._layer.cluster_count:
            raise Unavailable(_ENDED_EARLY)
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


class _Growing:
    """Blocks of an array whose length nobody announced."""

    def __init__(self, name: str, dtype: DTypeLike, most_rows: int) -> None:
        self._name = name
        self._dtype = dtype
        self._most_rows = most_rows
        self._row_count = 0
        self._blocks: list[Any] = []

    def add(self, block: Any) -> None:
        self._row_count += block.tensor.shape[0] if block.tensor.shape else 0
        if self._row_count > self._most_rows:
            raise Internal(f"The cluster service sent more than {self._most_rows} {self._name}.")
        self._blocks.append(block)

    def finish(self) -> NDArray[Any]:
        whole = ArrayAssembler(self._name, self._dtype, self._row_count)
        for block in self._blocks:
            whole.add(block)
        return whole.finish()
