"""Exports of a dataset as CSV, in pieces: no export is ever whole in memory."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from gateway.artifacts import ArtifactStore
from gateway.dataset import Dataset, WeightsRevision
from gateway.tables import TableInfo, write_resampled, write_weighted
from level_rpc.errors import FieldInvalid
from levelling import NOISE_ID, resample_rows, row_weights

MAX_RESAMPLED_ROWS = 10_000_000
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
_BLOCK_ROWS = 8_192


class ExportFormat(StrEnum):
    """What an export holds."""

    WEIGHTED = "weighted"
    RESAMPLED = "resampled"
    CLUSTERS = "clusters"


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
    ) -> Export:
        """Return an export at these weights, whatever they become while it is sent.

        Raises
        ------
        InvalidArgument
            When the rows that were asked for cannot be drawn.
        ArtifactDamaged
            When a stored file is missing or was changed.
        """
        draw.refuse_for(export_format)
        make = {
            ExportFormat.WEIGHTED: self._weighted,
            ExportFormat.RESAMPLED: self._resampled,
            ExportFormat.CLUSTERS: self._clusters,
        }[export_format]
        charset, pieces = make(dataset, weights, draw)
        # With the first piece every file is open: a failure is still an error, not a cut download,
        # and a dataset that is deleted meanwhile is exported to its end.
        first = next(pieces, b"")
        name = f"{PurePath(dataset.file_name).stem}-{export_format}.csv"
        return Export(name, charset, chain([first], pieces))

    def _weighted(
        self, dataset: Dataset, weights: WeightsRevision, _: Draw
    ) -> tuple[str, Iterator[bytes]]:
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

    def _clusters(
        self, dataset: Dataset, _: WeightsRevision, __: Draw
    ) -> tuple[str, Iterator[bytes]]:
        terrain = self._artifacts.load_json(dataset.dataset_id, dataset.artifacts["terrain"])
        labels = {hill["cluster_id"]: hill["label"] for hill in terrain["hills"]}
        names = ("labels", "nearest", "strengths", "positions")
        arrays = [self._array(dataset, name) for name in names]
        return "utf-8", _cluster_lines({**labels, NOISE_ID: NOISE_LABEL}, *arrays)

    def _row_weights(self, dataset: Dataset, weights: WeightsRevision) -> NDArray[np.float64]:
        labels = self._array(dataset, "labels")
        return row_weights(labels, weights.weights, weights.weights.get(NOISE_ID, 1.0))

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


def _numbers(rows: NDArray[np.int64]) -> Iterator[int]:
    for first in range(0, rows.size, _BLOCK_ROWS):
        yield from rows[first : first + _BLOCK_ROWS].tolist()


def _cluster_lines(
    names: dict[int, str],
    labels: NDArray[np.int32],
    nearest: NDArray[np.int32],
    strengths: NDArray[np.float32],
    positions: NDArray[np.float32],
) -> Iterator[bytes]:
    """Yield a header, and a line for each row in the order of the input."""
    yield (",".join(CLUSTER_COLUMNS) + "\n").encode()
    for first in range(0, len(labels), _BLOCK_ROWS):
        block = slice(first, first + _BLOCK_ROWS)
        cluster_ids = labels[block].tolist()
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(
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
        yield text.getvalue().encode()
