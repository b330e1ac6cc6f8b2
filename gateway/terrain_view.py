"""A terrain at its current weights, as the REST contract shows it; pure.

The worker stores a terrain at weight 1. Weights change often and cheaply, so what depends on them
is put in here, each time it is asked for.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gateway.duplicate_counts import (
    CountUnit,
    GroupCounts,
    count_hills,
    describe_near_duplicates,
)
from gateway.errors import DatasetTooOld
from gateway.layer_weights import LayerWeights
from gateway.layers import LayerClusters, Layers
from gateway.pipeline_types import HillShape
from gateway.plans import PlanFigures
from levelling import NOISE_ID, Balance, Groups, measure

_HEIGHT_DIGITS = 4
_NOISE_UNEXPLAINED = {"reason": "", "sparse_count": None, "small_cluster_count": None}
_NOISE_UNCOUNTED = {"sparse_count": None, "small_cluster_count": None}
_OF_A_LAYER = ("gini", "flatness", "cluster_count", "effective_clusters")
_LAYOUT_UNMEASURED = {"own_hill_fraction": None, "neighbor_preservation": None}


@dataclass(frozen=True, eq=False)
class Terrain:
    """One layer of a dataset as a terrain at weight 1.

    Parameters
    ----------
    layers : Layers
        All layers of the dataset.
    layer : LayerClusters
        The one that is shown.
    grid_size : int
        Cells along each side.
    height_scale : float, optional
        What the summed hills are multiplied with; None where it is still to be found, from the
        ground at weight 1.
    hills : tuple of dict
        As the worker stored them, by cluster id, with their near-duplicates.
    noise : dict
        `count`, rows in no cluster, and where it is known why they are: `reason`, `sparse_count`
        and `small_cluster_count`.
    layout : dict
        `own_hill_fraction` and `neighbor_preservation`, None where they were not measured.
    group_counts : GroupCounts, optional
        None where near-duplicates were not looked for.
    unit : CountUnit
        What sizes, heights and figures count.
    """

    layers: Layers
    layer: LayerClusters
    grid_size: int
    height_scale: float | None
    hills: tuple[dict[str, Any], ...]
    noise: dict[str, Any]
    layout: dict[str, Any]
    group_counts: GroupCounts | None = None
    unit: CountUnit = CountUnit.ROWS

    @classmethod
    def from_stored(
        cls,
        stored: Mapping[str, Any],
        layers: Layers | None = None,
        layer_index: int | None = None,
        group_counts: GroupCounts | None = None,
    ) -> Self:
        """Return the terrain that the worker stored as JSON.

        Without `layers`, its hills are the only one.
        """
        layers = layers or Layers.of_one(stored["hills"])
        layer = layers.find(layer_index)
        return cls(
            layers=layers,
            layer=layer,
            grid_size=stored["grid_size"],
            height_scale=stored["height_scale"],
            hills=describe_near_duplicates(stored["hills"], group_counts, layer),
            noise={**_NOISE_UNEXPLAINED, **stored["noise"]},
            layout={**_LAYOUT_UNMEASURED, **stored.get("layout", {})},
            group_counts=group_counts,
        )

    def counted_in(self, unit: CountUnit) -> Self:
        """Return this terrain, made from rows, with everything counted in a unit.

        Raises
        ------
        DatasetTooOld
            When groups are asked for that were never looked for.
        """
        if unit is CountUnit.ROWS:
            return self
        if self.group_counts is None:
            raise DatasetTooOld("looking for near-duplicates")
        layers = self.group_counts.count_layers(self.layers)
        return replace(
            self,
            layers=layers,
            layer=layers.find(self.layer.layer_index),
            height_scale=None,
            hills=count_hills(self.hills),
            # Why rows are noise is known of rows alone.
            noise={**self.noise, **_NOISE_UNCOUNTED, "count": self.group_counts.noise},
            unit=unit,
        )

    def weigh(self, weights: Mapping[int, float]) -> LayerWeights:
        """Return stored weights, of the finest layer's clusters, as they are in every layer."""
        return LayerWeights.from_stored(self.layers, weights)

    def metrics(self, weights: LayerWeights, plan: PlanFigures | None = None) -> dict[str, Any]:
        """Return every figure of balance at these weights, and `original`, the same at weight 1.

        Parameters
        ----------
        weights : LayerWeights
        plan : PlanFigures, optional
            Of the levelling that these weights are of: its figures are told, for weights cannot
            say which rows were left out or repeated. How level another layer is, weights do say.
            Groups are not what a plan counts, so theirs follow the weights.
        """
        balance = asdict(self._measure(np.append(weights.finest, weights.noise)))
        if plan is not None and self.unit is CountUnit.ROWS:
            own = {name: balance[name] for name in _OF_A_LAYER}
            is_levelled = plan.layer == self.layer.layer_index
            balance = {**plan.after, **({} if is_levelled else own)}
        return {**balance, "original": asdict(self._original)}

    def shapes(self, weights: LayerWeights) -> list[HillShape]:
        """Return the hills at these weights, as the ground is built from them."""
        shown = weights.of(self.layer)
        return [
            HillShape(
                cluster_id=hill["cluster_id"],
                x=hill["x"],
                z=hill["z"],
                radius=hill["radius"],
                height=hill["original_height"] * shown[hill["cluster_id"]],
            )
            for hill in self.hills
        ]

    def view(
        self,
        weights: LayerWeights,
        revision: int,
        heights: NDArray[np.float32],
        plan: PlanFigures | None = None,
    ) -> dict[str, Any]:
        """Return the terrain as the REST contract has it.

        Parameters
        ----------
        weights : LayerWeights
        revision : int
            Of the weights.
        heights : ndarray of shape (grid_size, grid_size), float32
            The ground at these weights, indexed [z][x].
        plan : PlanFigures, optional
            As `metrics` takes it.
        """
        shown = weights.of(self.layer)
        return {
            "hills": [_hill_at(hill, shown[hill["cluster_id"]]) for hill in self.hills],
            "heightData": np.round(heights.astype(np.float64), _HEIGHT_DIGITS).tolist(),
            "gridSize": self.grid_size,
            "metrics": self.metrics(weights, plan),
            "noise": self._noise_at(shown[NOISE_ID]),
            "count": self.unit,
            "layer": self.layer.layer_index,
            "layers": self.layers.summary(),
            "layout": self.layout,
            "revision": revision,
        }

    @cached_property
    def _group_ids(self) -> NDArray[np.int64]:
        """The cluster of each finest cluster in this layer, and -1 for noise at the end."""
        return np.append(self.layer.cluster_ids[self.layer.slots], NOISE_ID)

    @cached_property
    def _row_counts(self) -> NDArray[np.int64]:
        """Rows of each finest cluster, and of noise at the end, whether or not there are any."""
        return np.append(self.layers.finest.sizes, self.noise["count"])

    @cached_property
    def _original(self) -> Balance:
        return self._measure(np.ones(self._row_counts.size))

    def _measure(self, row_weights: NDArray[np.float64]) -> Balance:
        return measure(Groups(self._group_ids, row_weights, self._row_counts))

    def _noise_at(self, weight: float) -> dict[str, Any]:
        count, total = self.noise["count"], int(self._row_counts.sum())
        return {
            **self.noise,
            "share": count / total if total else 0.0,
            "weight": weight,
            "effective_size": count * weight,
        }


def _hill_at(hill: dict[str, Any], weight: float) -> dict[str, Any]:
    return {
        **hill,
        "height": hill["original_height"] * weight,
        "weight": weight,
        "effective_size": hill["size"] * weight,
    }
