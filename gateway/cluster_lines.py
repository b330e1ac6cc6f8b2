"""Clusters as lines of CSV: one for each row of a dataset, or one for each cluster; pure."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.layers import LayerClusters
from levelling import NOISE_ID

NOISE_LABEL = "noise"
CLUSTER_COLUMNS = (
    "row_id",
    "cluster_id",
    "nearest_cluster_id",
    "cluster_label",
    "cluster_membership_prob",
    "projection_x",
    "projection_y",
)
LAYER_COLUMNS = (
    "layer_index",
    "is_terrain_layer",
    "cluster_id",
    "parent_id",
    "cluster_label",
    "size",
    "weight",
    "effective_size",
    "spread",
    "stability",
    "keywords",
)
_BLOCK_ROWS = 8_192


def cluster_lines(
    names: Mapping[int, str],
    labels: NDArray[np.int32],
    nearest: NDArray[np.int32],
    strengths: NDArray[np.float32],
    positions: NDArray[np.float32],
) -> Iterator[bytes]:
    """Yield a header, and a line for each row in the order of the input, in UTF-8."""
    names = {**names, NOISE_ID: NOISE_LABEL}
    yield _lines([CLUSTER_COLUMNS])
    for first in range(0, len(labels), _BLOCK_ROWS):
        block = slice(first, first + _BLOCK_ROWS)
        cluster_ids = labels[block].tolist()
        yield _lines(
            zip(
                range(first, first + len(cluster_ids)),
                cluster_ids,
                nearest[block].tolist(),
                [names.get(cluster_id, "") for cluster_id in cluster_ids],
                # As text, a float32 has the fewest digits that give the same float32 back.
                strengths[block].astype(str),
                positions[block, 0].astype(str),
                positions[block, 1].astype(str),
                strict=True,
            )
        )


def layer_lines(
    layers: Iterable[tuple[LayerClusters, Sequence[Mapping[str, Any]], Mapping[int, float]]],
) -> Iterator[bytes]:
    """Yield a header, and a line for each cluster of each layer, in UTF-8.

    Parameters
    ----------
    layers : iterable of tuple
        Of each layer, its clusters, its hills and their weights.
    """
    yield _lines([LAYER_COLUMNS])
    for layer, hills, weights in layers:
        yield _lines(_layer_line(layer, hill, weights[hill["cluster_id"]]) for hill in hills)


def _layer_line(layer: LayerClusters, hill: Mapping[str, Any], weight: float) -> tuple[Any, ...]:
    return (
        layer.layer_index,
        str(layer.is_terrain_layer).lower(),
        hill["cluster_id"],
        hill["parent_id"],
        hill["label"],
        hill["size"],
        weight,
        hill["size"] * weight,
        hill["spread"],
        hill["stability"],
        ", ".join(hill["keywords"]),
    )


def _lines(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
