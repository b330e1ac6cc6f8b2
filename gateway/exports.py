"""Exports of a dataset as CSV, in pieces: no export is ever whole in memory."""

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from gateway.artifacts import ArtifactStore
from gateway.cluster_lines import cluster_lines, layer_lines
from gateway.dataset import Dataset, WeightsRevision
from gateway.layer_files import artifact_name, layers_of_completed
from gateway.layer_weights import LayerWeights
from gateway.layers import LayerClusters, Layers
from gateway.tables import TableInfo, write_resampled, write_weighted
from level_rpc.errors import FieldInvalid
from levelling import NOISE_ID, resample_rows, row_weights

MAX_RESAMPLED_ROWS = 10_000_000
_BLOCK_ROWS = 8_192


class ExportFormat(StrEnum):
    """What an export holds."""

    WEIGHTED = "weighted"
    RESAMPLED = "resampled"
    CLUSTERS = "clusters"
    LAYERS = "layers"


@dataclass(frozen=True)
class Draw:
    """How rows are drawn for a resampled export; None is the default of each."""

    rows: int | None = None
    seed: int | None = None
    max_repeat: int | None = None

    def refuse_for(self, export_format: ExportFormat) -> None:
        """Raise FieldInvalid when something is given that this format has no use for."""
        given = [name for name, value in vars(self).items() if value is not None]
        if given and export_format is not ExportFormat.RESAMPLED:
            message = f"{', '.join(given)} can be given for format=resampled only."
            raise FieldInvalid(message, field=given[0])
        if self.rows is not None and self.rows > MAX_RESAMPLED_ROWS:
            message = f"rows may be at most {MAX_RESAMPLED_ROWS:,}."
            raise FieldInvalid(message, field="rows")


@dataclass(frozen=True)
class Export:
    """A file that is made while it is sent."""

    file_name: str
    charset: str
    pieces: Iterator[bytes]


class Exporter:
    """Makes exports; all of it blocks.

    Parameters
    ----------
    artifacts : ArtifactStore
    """

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    def export(
        self,
        dataset: Dataset,
        weights: WeightsRevision,
        export_format: ExportFormat,
        draw: Draw,
        layer_index: int | None = None,
    ) -> Export:
        """Return an export at these weights, whatever they become while it is sent.

        Parameters
        ----------
        layer_index : int, optional
            Whose clusters are listed; the terrain layer's by default.

        Raises
        ------
        InvalidArgument
            When the rows that were asked for cannot be drawn, or there is no such layer.
        ArtifactDamaged
            When a stored file is missing or was changed.
        """
        draw.refuse_for(export_format)
        if layer_index is not None and export_format is not ExportFormat.CLUSTERS:
            raise FieldInvalid("layer can be given for format=clusters only.", field="layer")
        make: dict[ExportFormat, Callable[[], tuple[str, Iterator[bytes]]]] = {
            ExportFormat.WEIGHTED: lambda: self._weighted(dataset, weights),
            ExportFormat.RESAMPLED: lambda: self._resampled(dataset, weights, draw),
            ExportFormat.CLUSTERS: lambda: self._clusters(dataset, layer_index),
            ExportFormat.LAYERS: lambda: self._layers(dataset, weights),
        }
        charset, pieces = make[export_format]()
        # With the first piece every file is open: a failure is still an error, not a cut download,
        # and a dataset that is deleted meanwhile is exported to its end.
        first = next(pieces, b"")
        name = f"{PurePath(dataset.file_name).stem}-{export_format}.csv"
        return Export(name, charset, chain([first], pieces))

    def _weighted(self, dataset: Dataset, weights: WeightsRevision) -> tuple[str, Iterator[bytes]]:
        info = TableInfo.from_dict(dataset.table["info"])
        source, spans = self._records(dataset)
        rows = self._row_weights(dataset, weights)
        return _charset(info.encoding), write_weighted(source, spans, info, rows)

    def _resampled(
        self, dataset: Dataset, weights: WeightsRevision, draw: Draw
    ) -> tuple[str, Iterator[bytes]]:
        info = TableInfo.from_dict(dataset.table["info"])
        rows = resample_rows(
            self._row_weights(dataset, weights),
            rows=draw.rows,
            seed=draw.seed or 0,
            max_repeat=draw.max_repeat,
        )
        source, spans = self._records(dataset)
        return _charset(info.encoding), write_resampled(source, spans, info, _numbers(rows))

    def _clusters(self, dataset: Dataset, layer_index: int | None) -> tuple[str, Iterator[bytes]]:
        layer = self._read_layers(dataset).find(layer_index)
        terrain = self._terrain(dataset, layer)
        labels = {hill["cluster_id"]: hill["label"] for hill in terrain["hills"]}
        arrays = (
            self._array(dataset, _name("labels", layer)),
            self._array(dataset, _name("nearest", layer)),
            self._array(dataset, _name("strengths", layer)),
            self._array(dataset, "positions"),
        )
        return "utf-8", cluster_lines(labels, *arrays)

    def _layers(self, dataset: Dataset, weights: WeightsRevision) -> tuple[str, Iterator[bytes]]:
        layers = self._read_layers(dataset)
        weighed = LayerWeights.from_stored(layers, weights.weights)
        described = [
            (layer, self._terrain(dataset, layer)["hills"], weighed.of(layer))
            for layer in layers.layers
        ]
        return "utf-8", layer_lines(described)

    def _row_weights(self, dataset: Dataset, weights: WeightsRevision) -> NDArray[np.float64]:
        # Weights live on the finest layer.
        labels = self._array(dataset, _name("labels", self._read_layers(dataset).finest))
        return row_weights(labels, weights.weights, weights.weights.get(NOISE_ID, 1.0))

    def _read_layers(self, dataset: Dataset) -> Layers:
        return layers_of_completed(self._artifacts, dataset)

    def _terrain(self, dataset: Dataset, layer: LayerClusters) -> Any:
        file = dataset.artifacts[_name("terrain", layer)]
        return self._artifacts.load_json(dataset.dataset_id, file)

    def _records(self, dataset: Dataset) -> tuple[Any, NDArray[np.int64]]:
        source = self._artifacts.path(dataset.dataset_id, dataset.artifacts["source"])
        return source, self._array(dataset, "records")

    def _array(self, dataset: Dataset, name: str) -> NDArray[Any]:
        return self._artifacts.open_array(dataset.dataset_id, dataset.artifacts[name])


def content_disposition(file_name: str) -> str:
    """Return a Content-Disposition that saves under `file_name`, whatever is in it (RFC 6266)."""
    plain = re.sub(r"[^\w .()+,=@-]", "_", file_name, flags=re.ASCII)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"


def _charset(encoding: str) -> str:
    """Return the name that HTTP has for a Python encoding."""
    return codecs.lookup(encoding).name.replace("_", "-")


def _name(name: str, layer: LayerClusters) -> str:
    return artifact_name(name, layer.layer_index, layer.is_terrain_layer)


def _numbers(rows: NDArray[np.int64]) -> Iterator[int]:
    for first in range(0, rows.size, _BLOCK_ROWS):
        yield from rows[first : first + _BLOCK_ROWS].tolist()
