"""Weights in every layer, from those of the finest; pure.

Only the finest layer's clusters have weights of their own. A coarser cluster's weight is its
effective size divided by its size, and giving it one multiplies those of the clusters in it.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gateway.adjustments import MAX_WEIGHT
from gateway.errors import WeightsRefused
from gateway.layers import LayerClusters, Layers
from levelling import NOISE_ID

_DIGITS = 12  # beyond, a mean of different weights has nothing but rounding


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """The weights of all rows of a dataset, seen from any layer.

    Parameters
    ----------
    layers : Layers
    finest : ndarray of shape (finest clusters,), float64
        The weight of each cluster of the finest layer.
    noise : float
        The weight of noise.
    """

    layers: Layers
    finest: NDArray[np.float64]
    noise: float = 1.0

    @classmethod
    def from_stored(cls, layers: Layers, weights: Mapping[int, float]) -> Self:
        """Return weights as they are stored: those that are 1 may be left out."""
        finest = np.ones(layers.finest.cluster_ids.size)
        if len(weights) > 1 or NOISE_ID not in weights:
            ids = layers.finest.cluster_ids.tolist()
            finest = np.array([weights.get(one, 1.0) for one in ids], dtype=np.float64)
        return cls(layers, finest, weights.get(NOISE_ID, 1.0))

    @classmethod
    def from_plan(cls, layers: Layers, weights: Mapping[int, float], noise: float) -> Self:
        """Return the weights that a plan gives, of every cluster of the finest layer.

        Raises
        ------
        WeightsRefused
            When no hill is left standing, or a weight is larger than one may be set.
        """
        ids = layers.finest.cluster_ids.tolist()
        finest = np.array([weights[one] for one in ids], dtype=np.float64)
        # A subnormal is as good as 0, and a trap for later arithmetic.
        finest[finest < sys.float_info.min] = 0.0
        if not (finest.any() if finest.size else noise):
            raise WeightsRefused("Every cluster would have weight 0; nothing would be left.")
        if max(finest.max(initial=0.0), noise) > MAX_WEIGHT:
            raise WeightsRefused(
                f"A cluster would have a weight above {MAX_WEIGHT:,.0f}, the largest there is; set"
                " max_repeat, or lower its floor."
            )
        return cls(layers, finest, noise)

    @property
    def is_original(self) -> bool:
        """Whether every hill has its original height."""
        return bool((self.finest == 1.0).all())

    def to_stored(self) -> dict[int, float]:
        """Return the weights that are not 1, by cluster of the finest layer, and of noise."""
        ids = self.layers.finest.cluster_ids
        named = self.finest != 1.0
        stored = dict(zip(ids[named].tolist(), self.finest[named].tolist(), strict=True))
        return stored if self.noise == 1.0 else {**stored, NOISE_ID: self.noise}

    def of(self, layer: LayerClusters) -> dict[int, float]:
        """Return the weight of every cluster of a layer, and of noise."""
        means, mixed = self._means(layer)
        shown = means.tolist()
        for place in np.flatnonzero(mixed).tolist():
            shown[place] = float(f"{shown[place]:.{_DIGITS}g}")
        return {**dict(zip(layer.cluster_ids.tolist(), shown, strict=True)), NOISE_ID: self.noise}

    def changed(self, changes: Mapping[int, float]) -> Self:
        """Return the weights after changes.

        Parameters
        ----------
        changes : mapping of int to float
            New weights, at least 0, of clusters of any layer, and of noise as -1.

        Raises
        ------
        WeightsRefused
            When a cluster and one that lies in it are both to change, or no hill is left standing;
            where there are no clusters, noise must be left.
        """
        weights, noise = self.finest.copy(), changes.get(NOISE_ID, self.noise)
        touched = np.zeros(weights.size, dtype=bool)
        for layer, targets in self._targets(changes):
            within = np.isfinite(targets)[layer.slots]
            if (within & touched).any():
                raise WeightsRefused(
                    "Two of the clusters lie in each other; set one of them, then the other."
                )
            touched |= within
            weights[within] = self._scaled(layer, targets)[within]
        if not (weights.any() if weights.size else noise):
            raise WeightsRefused("Every cluster would have weight 0; leave at least one above 0.")
        return replace(self, finest=weights, noise=noise)

    def _targets(
        self, changes: Mapping[int, float]
    ) -> list[tuple[LayerClusters, NDArray[np.float64]]]:
        """Return each layer that changes with its clusters' new weights; NaN where one stays."""
        targets: dict[int, NDArray[np.float64]] = {}
        for cluster, weight in changes.items():
            if cluster == NOISE_ID:
                continue
            index, place = self.layers.places[cluster]
            if index not in targets:
                targets[index] = np.full(self.layers.layers[index].sizes.size, np.nan)
            targets[index][place] = weight
        return [(self.layers.layers[index], values) for index, values in targets.items()]

    def _scaled(self, layer: LayerClusters, targets: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the finest weights at which a layer's clusters weigh what they are to."""
        if layer is self.layers.finest:
            return targets
        means = self._means(layer)[0][layer.slots]
        # Relative to their mean first: however small that is, the product cannot overflow.
        relative = np.divide(self.finest, means, out=np.ones_like(means), where=means > 0)
        scaled = relative * targets[layer.slots]
        # A subnormal is as good as 0, and a trap for later arithmetic.
        return np.where(scaled >= sys.float_info.min, scaled, 0.0)

    def _means(self, layer: LayerClusters) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return effective size divided by size of a layer's clusters, and where weights differ.

        Where they do not, it is exactly the weight that all have.
        """
        if layer is self.layers.finest:
            return self.finest, np.zeros(self.finest.size, dtype=bool)
        count, rows = layer.cluster_ids.size, self.layers.finest.sizes
        # Where a cluster has nothing to count, those in it count alike.
        totals = np.bincount(layer.slots, weights=rows, minlength=count)
        rows = np.where(totals[layer.slots] > 0, rows, 1)
        lowest, highest = np.full(count, np.inf), np.zeros(count)
        np.minimum.at(lowest, layer.slots, self.finest)
        np.maximum.at(highest, layer.slots, self.finest)
        sums = np.bincount(layer.slots, weights=rows * self.finest, minlength=count)
        means = sums / np.bincount(layer.slots, weights=rows, minlength=count)
        mixed = lowest < highest
        return np.where(mixed, np.clip(means, lowest, highest), highest), mixed
