"""What clusters are named from: their exemplars, and the terms of all their rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.artifacts import ArtifactStore
from gateway.dataset import Dataset
from gateway.layer_files import artifact_name, read_layers
from gateway.pipeline_types import ClusterTexts
from gateway.tables import read_texts
from gateway.terms import count_terms_of_layers, sum_terms
from gateway.worker.scattered_rows import read_cells
from levelling import NOISE_ID

_BLOCK_ROWS = 65_536
Terms = list[dict[str, int]]


@dataclass(frozen=True)
class LayerTexts:
    """What the clusters of one layer are named from; exemplars of the terrain layer alone."""

    is_terrain_layer: bool
    clusters: tuple[ClusterTexts, ...]


def read_layer_texts(dataset: Dataset, artifacts: ArtifactStore) -> list[LayerTexts]:
    """Return what the clusters of each layer are named from, finest first; blocks."""
    layers = read_layers(artifacts, dataset)
    rows = artifacts.path(dataset.dataset_id, dataset.artifacts["rows"])
    terms = _terms_of_layers(dataset, artifacts, layers, rows)
    return [
        _layer_texts(layer, counts, rows, dataset.text_column)
        for layer, counts in zip(layers, terms, strict=True)
    ]


def read_exemplars(
    rows: Path, column: int, clusters: Sequence[dict[str, Any]]
) -> list[tuple[str, ...]]:
    """Return the texts of each cluster's exemplars."""
    row_ids = list(chain.from_iterable(one["exemplar_row_ids"] for one in clusters))
    texts = iter(read_cells(rows, column, row_ids))
    return [tuple(next(texts) for _ in one["exemplar_row_ids"]) for one in clusters]


def _layer_texts(layer: dict[str, Any], terms: Terms, rows: Path, column: int) -> LayerTexts:
    clusters = layer["clusters"]
    exemplars: list[tuple[str, ...]] = [()] * len(clusters)
    if layer["is_terrain_layer"]:
        exemplars = read_exemplars(rows, column, clusters)
    return LayerTexts(
        layer["is_terrain_layer"],
        tuple(
            ClusterTexts(
                cluster_id=cluster["cluster_id"],
                row_count=cluster["size"],
                texts=texts,
                term_counts=tuple(counts.items()),
            )
            for cluster, texts, counts in zip(clusters, exemplars, terms, strict=True)
        ),
    )


def _terms_of_layers(
    dataset: Dataset, artifacts: ArtifactStore, layers: Sequence[dict[str, Any]], rows: Path
) -> list[Terms]:
    """Return the term counts of each layer's clusters.

    Rows are counted for the finest layer and the terrain's; the others are sums.
    """
    counted = [layer for layer in layers if not layer["layer_index"] or layer["is_terrain_layer"]]
    texts = _all_texts(rows, dataset.text_column, dataset.row_count)
    labels = [_places(dataset, artifacts, layer) for layer in counted]
    counts = count_terms_of_layers(texts, labels, [len(layer["clusters"]) for layer in counted])
    known = dict(zip((layer["layer_index"] for layer in counted), counts, strict=True))
    terms: list[Terms] = []
    for index, layer in enumerate(layers):
        if layer["layer_index"] in known:
            terms.append(known[layer["layer_index"]])
            continue
        first = _first_id(layer)
        parents = [one["parent_id"] - first for one in layers[index - 1]["clusters"]]
        terms.append(sum_terms(terms[-1], parents, len(layer["clusters"])))
    return terms


def _places(dataset: Dataset, artifacts: ArtifactStore, layer: dict[str, Any]) -> NDArray[np.int64]:
    """Return each row's cluster in a layer, from 0; -1 for noise."""
    name = artifact_name("labels", layer["layer_index"], layer["is_terrain_layer"])
    labels = artifacts.open_array(dataset.dataset_id, dataset.artifacts[name])
    return np.where(labels == NOISE_ID, NOISE_ID, labels - np.int64(_first_id(layer)))


def _first_id(layer: dict[str, Any]) -> int:
    return int(layer["clusters"][0]["cluster_id"]) if layer["clusters"] else 0


def _all_texts(rows: Path, column: int, row_count: int) -> Iterable[str]:
    for start in range(0, row_count, _BLOCK_ROWS):
        yield from read_texts(rows, column, start, start + _BLOCK_ROWS)
