"""What an export is made from: the stored files of a dataset at one state of its weights."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gateway.exports.options import ExportFormat, ExportOptions, FileType
from gateway.layer_files import LAYERS, artifact_name
from gateway.layers import LayerClusters, Layers
from gateway.tables import TableInfo
from levelling import NOISE_ID, row_weights

_PLAN_ARRAYS = ("copies", "sample_weight", "near_dup_groups", "reasons")


@dataclass(frozen=True, eq=False)
class PlannedRows:
    """Which rows a plan keeps.

    Parameters
    ----------
    copies : ndarray of shape (rows,), int32
        How often each row stands in the balanced dataset; 0 where it is dropped.
    sample_weight : ndarray of shape (rows,), float64
        What each row counts, its copies together: mean 1 over the rows that are kept.
    near_dup_groups : ndarray of shape (rows,), int32
        The group of near-duplicates of each row.
    reasons : ndarray of shape (rows,), uint8
        A `levelling.plans.reasons.Reason` of each row.
    """

    copies: NDArray[np.int32]
    sample_weight: NDArray[np.float64]
    near_dup_groups: NDArray[np.int32]
    reasons: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class ExportSource:
    """The files and weights that an export is made from.

    Parameters
    ----------
    info : TableInfo
        The table as it came.
    paths : mapping of str to Path
        Stored files by the names of their artifacts, checked: those that `needed_files` names.
    weights : mapping of int to float
        Of the finest layer's clusters, and of noise as -1; those not named weigh 1.
    recipe : mapping
        How to make this file again, as JSON values.
    plan : PlannedRows, optional
        For a balanced export.
    """

    info: TableInfo
    paths: Mapping[str, Path]
    weights: Mapping[int, float]
    recipe: Mapping[str, Any]
    plan: PlannedRows | None = None

    @cached_property
    def layers(self) -> Layers:
        """Every layer of clusters."""
        if LAYERS in self.paths:
            return Layers.from_stored(self.json(LAYERS))
        return Layers.of_one(self.json("terrain")["hills"])

    def row_weights(self) -> NDArray[np.float64]:
        """Return the weight of every row, mean 1."""
        labels = self.layer_array("labels", self.layers.finest)
        return row_weights(labels, self.weights, self.weights.get(NOISE_ID, 1.0))

    def hills(self, layer: LayerClusters) -> list[dict[str, Any]]:
        """Return the clusters of a layer, with their names, as the terrain has them."""
        hills: list[dict[str, Any]] = self.json(_name("terrain", layer))["hills"]
        return hills

    def layer_array(self, name: str, layer: LayerClusters) -> NDArray[Any]:
        """Return an array of one layer, mapped."""
        return self.array(_name(name, layer))

    def array(self, name: str) -> NDArray[Any]:
        """Return a stored array, mapped."""
        array: NDArray[Any] = np.load(self.paths[name], mmap_mode="r", allow_pickle=False)
        return array

    def json(self, name: str) -> Any:
        """Return a stored JSON value."""
        return json.loads(self.paths[name].read_bytes())

    def to_task(self, scratch: Path) -> dict[str, Any]:
        """Return the source as JSON values; the arrays of its plan are saved in `scratch`."""
        for name in _PLAN_ARRAYS if self.plan else ():
            np.save(scratch / f"{name}.npy", getattr(self.plan, name), allow_pickle=False)
        return {
            "info": asdict(self.info),
            "paths": {name: str(path) for name, path in self.paths.items()},
            "weights": {str(cluster): weight for cluster, weight in self.weights.items()},
            "recipe": dict(self.recipe),
            "is_planned": self.plan is not None,
        }

    @classmethod
    def from_task(cls, task: Mapping[str, Any], scratch: Path) -> Self:
        """Return the source that `to_task` gave."""
        plan = None
        if task["is_planned"]:
            plan = PlannedRows(
                *(np.load(scratch / f"{name}.npy", allow_pickle=False) for name in _PLAN_ARRAYS)
            )
        return cls(
            info=TableInfo.from_dict(task["info"]),
            paths={name: Path(path) for name, path in task["paths"].items()},
            weights={int(cluster): weight for cluster, weight in task["weights"].items()},
            recipe=task["recipe"],
            plan=plan,
        )


def needed_files(options: ExportOptions, layers: Layers) -> list[str]:
    """Return the names of the artifacts that an export is made from.

    Those that older datasets have not are left to the caller to leave out.
    """
    layer = layers.find(options.layer)
    about_layers = [LAYERS, "terrain"]
    if options.format is ExportFormat.LAYERS:
        return [*about_layers, *(_name("terrain", one) for one in layers.layers)]
    of_layer = [_name(name, layer) for name in ("labels", "nearest", "strengths", "terrain")]
    if options.format is ExportFormat.CLUSTERS:
        return [*about_layers, *of_layer, "positions"]
    reads_bytes = options.file_type is FileType.CSV and options.profile == "lossless"
    names = [*about_layers, *(["source", "records"] if reads_bytes else ["rows"])]
    names.append(_name("labels", layers.finest))
    if options.has_all_columns:
        names += [*of_layer, "positions", "near_dup_groups"]
    return [*names, "vectors"] if options.embedding else names


def _name(name: str, layer: LayerClusters) -> str:
    return artifact_name(name, layer.layer_index, layer.is_terrain_layer)
