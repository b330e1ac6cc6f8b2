"""The columns that Level adds to a person's own, each under a name that is free."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gateway.exports.drawing import DrawnRows
from gateway.exports.options import ExportFormat, ExportOptions
from gateway.exports.source import ExportSource
from gateway.tables import free_name
from levelling import NOISE_ID

NOISE_LABEL = "noise"
NEAR_DUP_GROUPS = "near_dup_groups"
Take = Callable[[NDArray[np.int64]], pa.Array]


@dataclass(frozen=True)
class AddedColumn:
    """A column of Level's.

    Parameters
    ----------
    wanted : str
        What it holds, and the name it has where that is free.
    name : str
        As it stands in the file.
    type : pyarrow.DataType
    take : callable
        Given row numbers, it returns the values of those rows.
    """

    wanted: str
    name: str
    type: pa.DataType
    take: Take


def added_columns(
    source: ExportSource, options: ExportOptions, drawn: DrawnRows
) -> list[AddedColumn]:
    """Return the columns that stand behind those of the file, in their order."""
    makers = _Columns(source, options, drawn)
    columns, taken = [], list(source.info.columns)
    for wanted in _wanted_names(options):
        name = free_name(wanted, taken)
        taken.append(name)
        kind, take = getattr(makers, wanted)()
        columns.append(AddedColumn(wanted, name, kind, take))
    return columns


def _wanted_names(options: ExportOptions) -> list[str]:
    plain = {ExportFormat.WEIGHTED: ["weight"], ExportFormat.BALANCED: list(_PLAIN_BALANCED)}
    chosen = list(_ALL) if options.has_all_columns else plain.get(options.format, [])
    return [*chosen, "embedding"] if options.embedding else chosen


_PLAIN_BALANCED = ("row_id", "copies", "sample_weight")
_ALL = (
    "cluster_id",
    "cluster_label",
    "cluster_membership_prob",
    "sample_weight",
    "copies",
    "near_dup_group",
    "is_exemplar",
    "projection_x",
    "projection_y",
    "row_id",
)


class _Columns:
    """Makes each column, by its name: its type, and what takes its values."""

    def __init__(self, source: ExportSource, options: ExportOptions, drawn: DrawnRows) -> None:
        self._source, self._drawn = source, drawn
        self._layer = source.layers.find(options.layer)

    def weight(self) -> tuple[pa.DataType, Take]:
        return self.sample_weight()

    def sample_weight(self) -> tuple[pa.DataType, Take]:
        return _of_array(self._drawn.line_weight, pa.float64())

    def copies(self) -> tuple[pa.DataType, Take]:
        return _of_array(self._drawn.copies, pa.int32())

    def row_id(self) -> tuple[pa.DataType, Take]:
        return pa.int64(), lambda rows: pa.array(rows, pa.int64())

    def cluster_id(self) -> tuple[pa.DataType, Take]:
        return _of_array(self._source.layer_array("labels", self._layer), pa.int32())

    def cluster_label(self) -> tuple[pa.DataType, Take]:
        labels = self._source.layer_array("labels", self._layer)
        names = {hill["cluster_id"]: hill["label"] for hill in self._source.hills(self._layer)}
        return pa.string(), lambda rows: names_of(names, labels[rows])

    def cluster_membership_prob(self) -> tuple[pa.DataType, Take]:
        return _of_array(self._source.layer_array("strengths", self._layer), pa.float32())

    def near_dup_group(self) -> tuple[pa.DataType, Take]:
        plan = self._source.plan
        if plan is not None:
            return _of_array(plan.near_dup_groups, pa.int32())
        if NEAR_DUP_GROUPS in self._source.paths:
            return _of_array(self._source.array(NEAR_DUP_GROUPS), pa.int32())
        # A dataset of an earlier version, of which it is not known.
        return pa.int32(), lambda rows: pa.nulls(len(rows), pa.int32())

    def is_exemplar(self) -> tuple[pa.DataType, Take]:
        hills = self._source.hills(self._layer)
        found = np.array([one["row_id"] for hill in hills for one in hill["exemplars"]], np.int64)
        return pa.bool_(), lambda rows: pa.array(np.isin(rows, found), pa.bool_())

    def projection_x(self) -> tuple[pa.DataType, Take]:
        return _of_array(self._source.array("positions")[:, 0], pa.float32())

    def projection_y(self) -> tuple[pa.DataType, Take]:
        return _of_array(self._source.array("positions")[:, 1], pa.float32())

    def embedding(self) -> tuple[pa.DataType, Take]:
        vectors = self._source.array("vectors")
        length = vectors.shape[1]

        def take(rows: NDArray[np.int64]) -> pa.Array:
            flat = pa.array(np.ascontiguousarray(vectors[rows], np.float32).ravel())
            return pa.FixedSizeListArray.from_arrays(flat, length)

        return pa.list_(pa.float32(), length), take


def names_of(names: Mapping[int, str], cluster_ids: NDArray[np.int32]) -> pa.Array:
    """Return the name of each row's cluster; noise has one too, and what is unknown has ""."""
    known = {**names, NOISE_ID: NOISE_LABEL}
    return pa.array([known.get(one, "") for one in cluster_ids.tolist()], pa.string())


def unique_names(columns: Sequence[str], added: Iterable[str] = ()) -> list[str]:
    """Return names of columns, none empty and none twice, for file types that demand it.

    A name that came before gets its number, ``text_2``; one that is empty is called after its
    position, ``column_3``.
    """
    taken = {*columns, *added}
    found: list[str] = []
    for position, column in enumerate(columns, start=1):
        name = column
        if not column or column in found:
            stem = column or "column"
            first = 2 if column else position
            name = next(one for one in _numbered(stem, first) if one not in taken)
            taken.add(name)
        found.append(name)
    return found


def _numbered(stem: str, first: int) -> Iterable[str]:
    number = first
    while True:
        yield f"{stem}_{number}"
        number += 1


def _of_array(values: NDArray[Any], kind: pa.DataType) -> tuple[pa.DataType, Take]:
    return kind, lambda rows: pa.array(np.asarray(values[rows]), kind)
