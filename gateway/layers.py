"""The layers of a clustering: which cluster lies in which, from fine to coarse; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gateway.errors import LayerUnknown
from levelling import NOISE_ID


@dataclass(frozen=True, eq=False)
class LayerClusters:
    """The clusters of one layer.

    Parameters
    ----------
    layer_index : int
        From 0, the finest.
    is_terrain_layer : bool
        Whether a terrain shows this layer unless it is asked for another.
    cluster_ids : ndarray of shape (clusters,), int64
        Rising.
    sizes : ndarray of shape (clusters,), int64
        The rows of each.
    slots : ndarray of shape (finest clusters,), int64
        For each cluster of the finest layer, the place in `cluster_ids` of the one it lies in.
    """

    layer_index: int
    is_terrain_layer: bool
    cluster_ids: NDArray[np.int64]
    sizes: NDArray[np.int64]
    slots: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Layers:
    """Every layer of a dataset, finest first.

    Parameters
    ----------
    layers : tuple of LayerClusters
        At least one.
    """

    layers: tuple[LayerClusters, ...]

    @classmethod
    def of_one(cls, clusters: Iterable[Mapping[str, Any]]) -> Self:
        """Return the one layer of a dataset that has no other.

        Parameters
        ----------
        clusters : iterable of mapping
            With `cluster_id` and `size`.
        """
        return cls.from_stored(
            [{"layer_index": 0, "is_terrain_layer": True, "clusters": list(clusters)}]
        )

    @classmethod
    def from_stored(cls, stored: Sequence[Mapping[str, Any]]) -> Self:
        """Return the layers that the worker stored as JSON."""
        layers: list[LayerClusters] = []
        slots = np.arange(len(stored[0]["clusters"]), dtype=np.int64)
        for position, layer in enumerate(stored):
            clusters = layer["clusters"]
            ids = _numbers(clusters, "cluster_id")
            if position > 0:
                parents = _numbers(stored[position - 1]["clusters"], "parent_id")
                slots = np.searchsorted(ids, parents)[slots]
            layers.append(
                LayerClusters(
                    layer_index=layer["layer_index"],
                    is_terrain_layer=layer["is_terrain_layer"],
                    cluster_ids=ids,
                    sizes=_numbers(clusters, "size"),
                    slots=slots,
                )
            )
        return cls(tuple(layers))

    @property
    def finest(self) -> LayerClusters:
        """The layer that weights live on."""
        return self.layers[0]

    @cached_property
    def terrain(self) -> LayerClusters:
        """The layer that is shown unless another is asked for."""
        return next(layer for layer in self.layers if layer.is_terrain_layer)

    def find(self, layer_index: int | None) -> LayerClusters:
        """Return a layer, the terrain's for None; raise LayerUnknown when there is no such one."""
        if layer_index is None:
            return self.terrain
        if not 0 <= layer_index < len(self.layers):
            raise LayerUnknown(layer_index, len(self.layers))
        return self.layers[layer_index]

    @cached_property
    def places(self) -> dict[int, tuple[int, int]]:
        """Of every cluster, its layer and its place in that layer's `cluster_ids`."""
        return {
            cluster_id: (layer.layer_index, place)
            for layer in self.layers
            for place, cluster_id in enumerate(layer.cluster_ids.tolist())
        }

    @cached_property
    def weighed_ids(self) -> dict[str, int]:
        """Ids that may be given a weight, by how they are written: clusters, and -1 for noise."""
        return {str(cluster): cluster for cluster in (*self.places, NOISE_ID)}

    def summary(self) -> list[dict[str, Any]]:
        """Return what there is to choose from, as JSON values, finest first."""
        return [
            {
                "layer_index": layer.layer_index,
                "first_cluster_id": int(layer.cluster_ids[0]) if layer.cluster_ids.size else 0,
                "cluster_count": int(layer.cluster_ids.size),
                "is_terrain_layer": layer.is_terrain_layer,
            }
            for layer in self.layers
        ]


def _numbers(clusters: Iterable[Mapping[str, Any]], name: str) -> NDArray[np.int64]:
    return np.array([cluster[name] for cluster in clusters], dtype=np.int64)
