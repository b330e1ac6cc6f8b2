"""A terrain at its current weights, as the REST contract shows it; pure.

The worker stores a terrain at weight 1. Weights change often and cheaply, so what depends on them
is put in here, each time it is asked for.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gateway.pipeline_types import HillShape
from levelling import NOISE_ID, Balance, Groups, measure

_HEIGHT_DIGITS = 4


@dataclass(frozen=True, eq=False)
class Terrain:
    """A dataset's terrain at weight 1.

    Parameters
    ----------
    grid_size : int
        Cells along each side.
    height_scale : float
        What the summed hills are multiplied with.
    hills : tuple of dict
        As the worker stored them, by cluster id.
    noise_count : int
        Rows in no cluster.
    cluster_ids : ndarray of shape (groups,), int64
        Every cluster, and -1 for noise at the end, whether or not there is any.
    row_counts : ndarray of shape (groups,), int64
        The rows of each.
    original : Balance
        The figures at weight 1.
    """

    grid_size: int
    height_scale: float
    hills: tuple[dict[str, Any], ...]
    noise_count: int
    cluster_ids: NDArray[np.int64]
    row_counts: NDArray[np.int64]
    original: Balance

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> Self:
        """Return the terrain that the worker stored as JSON."""
        hills = tuple(stored["hills"])
        noise_count = stored["noise"]["count"]
        counts = {**{hill["cluster_id"]: hill["size"] for hill in hills}, NOISE_ID: noise_count}
        cluster_ids = np.array(list(counts), dtype=np.int64)
        row_counts = np.array(list(counts.values()), dtype=np.int64)
        original = measure(Groups(cluster_ids, np.ones(len(counts)), row_counts))
        return cls(
            grid_size=stored["grid_size"],
            height_scale=stored["height_scale"],
            hills=hills,
            noise_count=noise_count,
            cluster_ids=cluster_ids,
            row_counts=row_counts,
            original=original,
        )

    @cached_property
    def weighed_ids(self) -> dict[str, int]:
        """Ids that may be given a weight, by how they are written: clusters, and -1 for noise."""
        return {str(cluster): cluster for cluster in self.cluster_ids.tolist()}

    def complete_weights(self, weights: Mapping[int, float]) -> dict[int, float]:
        """Return the weight of every cluster, and of noise."""
        return {cluster: weights.get(cluster, 1.0) for cluster in self.weighed_ids.values()}

    def metrics(self, weights: Mapping[int, float]) -> dict[str, Any]:
        """Return every figure of balance at these weights, and `original`, the same at weight 1."""
        factors = np.array(list(self.complete_weights(weights).values()), dtype=np.float64)
        balance = measure(Groups(self.cluster_ids, factors, self.row_counts))
        return {**asdict(balance), "original": asdict(self.original)}

    def shapes(self, weights: Mapping[int, float]) -> list[HillShape]:
        """Return the hills at these weights, as the ground is built from them."""
        return [
            HillShape(
                cluster_id=hill["cluster_id"],
                x=hill["x"],
                z=hill["z"],
                radius=hill["radius"],
                height=hill["original_height"] * weights.get(hill["cluster_id"], 1.0),
            )
            for hill in self.hills
        ]

    def view(
        self, weights: Mapping[int, float], revision: int, heights: NDArray[np.float32]
    ) -> dict[str, Any]:
        """Return the terrain as the REST contract has it.

        Parameters
        ----------
        weights : mapping of int to float
            Clusters that are not named weigh 1.
        revision : int
            Of the weights.
        heights : ndarray of shape (grid_size, grid_size), float32
            The ground at these weights, indexed [z][x].
        """
        return {
            "hills": [_hill_at(hill, weights) for hill in self.hills],
            "heightData": np.round(heights.astype(np.float64), _HEIGHT_DIGITS).tolist(),
            "gridSize": self.grid_size,
            "metrics": self.metrics(weights),
            "noise": self._noise_at(weights),
            "revision": revision,
        }

    def _noise_at(self, weights: Mapping[int, float]) -> dict[str, Any]:
        weight = weights.get(NOISE_ID, 1.0)
        total = int(self.row_counts.sum())
        return {
            "count": self.noise_count,
            "share": self.noise_count / total if total else 0.0,
            "weight": weight,
            "effective_size": self.noise_count * weight,
        }


def is_original(weights: Mapping[int, float]) -> bool:
    """Return whether every hill has its original height."""
    return all(weight == 1.0 for cluster, weight in weights.items() if cluster != NOISE_ID)


def _hill_at(hill: dict[str, Any], weights: Mapping[int, float]) -> dict[str, Any]:
    weight = weights.get(hill["cluster_id"], 1.0)
    return {
        **hill,
        "height": hill["original_height"] * weight,
        "weight": weight,
        "effective_size": hill["size"] * weight,
    }
