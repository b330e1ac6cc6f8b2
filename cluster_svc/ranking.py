"""Cluster ids: which cluster is first in a layer, and which id it has over all layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cluster_svc.communities.layers import Layers
from cluster_svc.graph import NeighborGraph
from cluster_svc.vectors import IntArray

LongArray = NDArray[np.int64]
DoubleArray = NDArray[np.float64]


@dataclass(frozen=True)
class RankedLayers:
    """Layers of nodes, the clusters of each numbered from 0: largest first, ties by first row.

    Attributes
    ----------
    labels
        For each layer, finest first, an int32 array of shape (nodes,).
    parents
        For each layer an int32 array of shape (clusters,): numbers in the next; all -1 in the last.
    stability
        For each layer a float64 array of shape (clusters,).
    terrain_index : int
        Which layer is the terrain's.
    """

    labels: tuple[IntArray, ...]
    parents: tuple[IntArray, ...]
    stability: tuple[DoubleArray, ...]
    terrain_index: int

    @property
    def first_ids(self) -> list[int]:
        """The lowest cluster id of each layer, unique over all layers."""
        next_id = len(self.parents[self.terrain_index])
        first_ids = []
        for index, parents in enumerate(self.parents):
            is_terrain = index == self.terrain_index
            first_ids.append(0 if is_terrain else next_id)
            next_id += 0 if is_terrain else len(parents)
        return first_ids


def rank_by_size(labels: IntArray) -> IntArray:
    """Return the labels renumbered from 0, largest cluster first, ties by first row; -1 stays."""
    ones = np.ones(len(labels), np.int64)
    return _renumber(labels, _rank_clusters(labels, ones, np.arange(len(labels))))


def rank_layers(
    layers: Layers, stability: Sequence[DoubleArray], graph: NeighborGraph
) -> RankedLayers:
    """Return the layers with their clusters in order of size, counted in rows.

    Parameters
    ----------
    stability
        For each layer a float64 array of shape (clusters,), by its own numbers.
    """
    ranks = [
        _rank_clusters(labels, graph.multiplicities, graph.first_rows) for labels in layers.labels
    ]
    labels = [_renumber(*pair) for pair in zip(layers.labels, ranks, strict=True)]
    parents = [
        _renumber(layers.parents(index), above)[np.argsort(own)]
        for index, (own, above) in enumerate(pairwise(ranks))
    ]
    parents.append(np.full(len(ranks[-1]), -1, np.int32))
    in_order = [figures[np.argsort(rank)] for figures, rank in zip(stability, ranks, strict=True)]
    return RankedLayers(tuple(labels), tuple(parents), tuple(in_order), layers.terrain_index)


def _rank_clusters(labels: IntArray, row_counts: LongArray, first_rows: LongArray) -> IntArray:
    """Return the place of each number from 0 when the largest clusters come first."""
    clustered = labels >= 0
    count = int(labels.max(initial=-1)) + 1
    sizes = np.bincount(labels[clustered], weights=row_counts[clustered], minlength=count)
    first = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(first, labels[clustered], first_rows[clustered])
    ranks = np.empty(count, np.int32)
    ranks[np.lexsort((first, -sizes))] = np.arange(count)
    return ranks


def _renumber(labels: IntArray, numbers: IntArray) -> IntArray:
    """Return the new number of each label; -1 stays."""
    renumbered: IntArray = np.append(numbers, np.int32(-1))[labels]
    return renumbered
