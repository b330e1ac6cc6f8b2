"""Clusters counted in groups of near-duplicates instead of rows; pure.

Each group counts once, in the cluster of its central row: so counts add up over clusters and
layers, and are the rows that are left when the central row of each group stays.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gateway.layers import LayerClusters, Layers
from levelling import NOISE_ID
from levelling.hills import HIGHEST

_SHARE_DIGITS = 6
_HEIGHT_DIGITS = 4


class CountUnit(StrEnum):
    """What sizes, heights and figures count: rows, or groups of near-duplicates."""

    ROWS = "rows"
    GROUPS = "groups"


@dataclass(frozen=True, eq=False)
class GroupCounts:
    """How many groups of near-duplicates there are in each cluster.

    Parameters
    ----------
    finest : ndarray of shape (finest clusters,), int64
        Groups of each cluster of the finest layer; 0 where all its rows are near-duplicates of rows
        that count elsewhere.
    noise : int
        Groups that count as noise.
    """

    finest: NDArray[np.int64]
    noise: int

    @classmethod
    def from_rows(
        cls, groups: NDArray[np.int32], labels: NDArray[np.int32], finest: LayerClusters
    ) -> Self:
        """Return the counts of a dataset; a group counts in the cluster of its central row.

        Parameters
        ----------
        groups : ndarray of shape (n_rows,), int32
            The group of each row, named by its central row.
        labels : ndarray of shape (n_rows,), int32
            Clusters of the finest layer, -1 for noise.
        finest : LayerClusters
        """
        counted = labels[np.unique(groups)]
        slots = np.searchsorted(finest.cluster_ids, counted[counted != NOISE_ID])
        counts = np.bincount(slots, minlength=finest.cluster_ids.size).astype(np.int64)
        return cls(counts, int((counted == NOISE_ID).sum()))

    def of(self, layer: LayerClusters) -> NDArray[np.int64]:
        """Return the groups of each cluster of a layer."""
        sums = np.bincount(layer.slots, weights=self.finest, minlength=layer.cluster_ids.size)
        return sums.astype(np.int64)

    def count_layers(self, layers: Layers) -> Layers:
        """Return the layers with sizes in groups."""
        return Layers(tuple(replace(one, sizes=self.of(one)) for one in layers.layers))


def describe_near_duplicates(
    hills: Iterable[Mapping[str, Any]], counts: GroupCounts | None, layer: LayerClusters
) -> tuple[dict[str, Any], ...]:
    """Return hills, by cluster id, with their counts of groups and their shares of copies.

    Nulls where near-duplicates were not looked for.
    """
    if counts is None:
        nothing = {"group_count": None, "near_duplicate_share": None}
        return tuple({**hill, **nothing} for hill in hills)
    shares = 1 - counts.of(layer) / np.maximum(layer.sizes, 1)
    figures = zip(hills, counts.of(layer).tolist(), shares.tolist(), strict=True)
    return tuple(
        {**hill, "group_count": count, "near_duplicate_share": round(share, _SHARE_DIGITS)}
        for hill, count, share in figures
    )


def count_hills(hills: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Return described hills with sizes and original heights in groups."""
    described = tuple(hills)
    largest = max((hill["group_count"] for hill in described), default=0)
    return tuple(
        {
            **hill,
            "size": hill["group_count"],
            "original_height": round(
                HIGHEST * hill["group_count"] / max(largest, 1), _HEIGHT_DIGITS
            ),
        }
        for hill in described
    )
