"""Lists of clusters as tables: a line for each row of a dataset, or for each cluster."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from gateway.exports.cells import BLOCK_ROWS
from gateway.exports.columns import names_of
from gateway.exports.options import ExportFormat, ExportOptions
from gateway.exports.sheet import Table
from gateway.exports.source import ExportSource
from gateway.layer_weights import LayerWeights
from gateway.layers import LayerClusters

_CLUSTERS = pa.schema(
    [
        ("row_id", pa.int64()),
        ("cluster_id", pa.int32()),
        ("nearest_cluster_id", pa.int32()),
        ("cluster_label", pa.string()),
        ("cluster_membership_prob", pa.float32()),
        ("projection_x", pa.float32()),
        ("projection_y", pa.float32()),
    ]
)
_LAYERS = pa.schema(
    [
        ("layer_index", pa.int32()),
        ("is_terrain_layer", pa.bool_()),
        ("cluster_id", pa.int32()),
        ("parent_id", pa.int32()),
        ("cluster_label", pa.string()),
        ("size", pa.int64()),
        ("weight", pa.float64()),
        ("effective_size", pa.float64()),
        ("spread", pa.float64()),
        ("stability", pa.float64()),
        ("keywords", pa.string()),
    ]
)


def list_table(source: ExportSource, options: ExportOptions) -> Table:
    """Return the list that an export is."""
    if options.format is ExportFormat.CLUSTERS:
        layer = source.layers.find(options.layer)
        batches = _row_batches(source, layer)
        return Table(tuple(_CLUSTERS.names), _CLUSTERS, batches, source.info.row_count)
    weights = LayerWeights.from_stored(source.layers, source.weights)
    lines = [_layer_lines(source, layer, weights.of(layer)) for layer in source.layers.layers]
    whole = pa.Table.from_pylist([line for one in lines for line in one], _LAYERS)
    batches = iter(whole.to_batches(BLOCK_ROWS))
    return Table(tuple(_LAYERS.names), _LAYERS, batches, whole.num_rows)


def _row_batches(source: ExportSource, layer: LayerClusters) -> Iterator[pa.RecordBatch]:
    names = {hill["cluster_id"]: hill["label"] for hill in source.hills(layer)}
    labels, nearest, strengths = (
        source.layer_array(name, layer) for name in ("labels", "nearest", "strengths")
    )
    positions = source.array("positions")
    for first in range(0, len(labels), BLOCK_ROWS):
        block = slice(first, first + BLOCK_ROWS)
        own = np.asarray(labels[block])
        arrays = [
            pa.array(np.arange(first, first + own.size)),
            pa.array(own),
            pa.array(np.asarray(nearest[block])),
            names_of(names, own),
            pa.array(np.asarray(strengths[block])),
            pa.array(np.ascontiguousarray(positions[block, 0])),
            pa.array(np.ascontiguousarray(positions[block, 1])),
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=_CLUSTERS)


def _layer_lines(
    source: ExportSource, layer: LayerClusters, weights: dict[int, float]
) -> list[dict[str, Any]]:
    return [
        {
            "layer_index": layer.layer_index,
            "is_terrain_layer": layer.is_terrain_layer,
            "cluster_id": hill["cluster_id"],
            "parent_id": hill["parent_id"],
            "cluster_label": hill["label"],
            "size": hill["size"],
            "weight": weights[hill["cluster_id"]],
            "effective_size": hill["size"] * weights[hill["cluster_id"]],
            "spread": hill["spread"],
            "stability": hill["stability"],
            "keywords": ", ".join(hill["keywords"]),
        }
        for hill in source.hills(layer)
    ]
