"""Nested layers of clusters, from hundreds of small ones to a dozen, around one partition.

The partition comes from any algorithm. Finer layers are communities within each of its clusters at
a higher resolution; coarser ones are communities of the graph whose nodes are its clusters, at a
lower one. So a cluster of one layer lies in one cluster of the next, whatever the algorithm.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from cluster_svc.communities.aggregate import (
    NEAR_ENOUGH,
    join_clusters,
    join_small_clusters,
    renumber,
)
from cluster_svc.communities.leiden import find_communities
from cluster_svc.communities.resolution import HillRange
from cluster_svc.communities.stability import drop_nodes
from cluster_svc.vectors import FloatArray, IntArray

# A layer has about this many times the clusters of the next: each one a step that can be seen.
_STEP = 3.0

# Layers nearer than this to their neighbour in number are left out.
_SMALLEST_STEP = 1.5

# At most so many finer and so many coarser layers.
_MOST_STEPS = 2

# The coarsest layer has at least so many clusters.
_FEWEST_CLUSTERS = 4

# Clusters of the finest layer have about this many rows at least, on average.
_SMALLEST_MEAN_SIZE = 25

# Rows of the smallest cluster of a finer layer, unless the partition has smaller ones.
_SMALLEST_PART = 5

_FINER_RESOLUTIONS = tuple(0.5 * 2.0**step for step in range(10))


@dataclass(frozen=True)
class Layers:
    """Nested partitions of the nodes, finest first.

    Attributes
    ----------
    labels
        For each layer an int32 array of shape (nodes,): cluster numbers from 0 without gaps, -1 for
        noise. Noise is the same nodes in every layer; no two layers are equal; all nodes of a
        cluster are in one cluster of the next, coarser layer.
    terrain_index : int
        Which layer a terrain shows unless another is asked for.
    reason : str
        One sentence for people: why the terrain layer is that one.
    base_resolution : float
        The resolution at which communities of the graph are about as many as the finest clusters.
    """

    labels: tuple[IntArray, ...]
    terrain_index: int
    reason: str
    base_resolution: float

    @property
    def terrain(self) -> IntArray:
        """The labels of the terrain layer."""
        return self.labels[self.terrain_index]

    def parents(self, index: int) -> IntArray:
        """Return for each cluster of that layer its cluster in the next; -1 in the coarsest."""
        own = self.labels[index]
        parents = np.full(_count(own), -1, np.int32)
        if index + 1 < len(self.labels):
            clustered = own >= 0
            parents[own[clustered]] = self.labels[index + 1][clustered]
        return parents


def build_layers(
    weights: csr_array,
    labels: IntArray,
    row_counts: NDArray[np.int64],
    units: FloatArray,
    *,
    is_asked_for: bool = False,
    seed: int = 0,
) -> Layers:
    """Return layers around a partition: finer ones by splitting its clusters, coarser by joining.

    The terrain layer is the partition itself, unless that has more clusters than a person can take
    in (see `HillRange`): then those are joined into about as many as that.

    Parameters
    ----------
    weights : csr_array of shape (nodes, nodes), float32
        The symmetric graph, see `fuzzy_graph`.
    labels : int32 array of shape (nodes,)
        Any numbers from 0, -1 for noise; the partition of any algorithm.
    row_counts : int array of shape (nodes,)
        The rows of each node.
    units : float32 array of shape (nodes, dimensions)
        The vectors of the nodes, of length 1 or 0; they say which clusters are nearest to each
        other where the graph does not tie them.
    is_asked_for : bool
        Whether the partition is the terrain layer however many clusters it has.
    seed : int
        Of every random choice.
    """
    terrain = renumber(labels)
    row_count, count = int(row_counts.sum()), _count(terrain)
    most = HillRange.of(row_count).most
    finer: list[IntArray] = []
    if count > most and not is_asked_for:
        wanted = int(most / (1 + NEAR_ENOUGH))
        joined = join_clusters(weights, terrain, wanted, seed=seed, units=units)
        finer = [terrain] if count >= _SMALLEST_STEP * _count(joined) else []
        terrain = joined
    finest, base = _refine(weights, finer[0] if finer else terrain, row_counts, seed)
    finer = finest + finer
    reason = _describe(
        _count(terrain), count, most, is_asked_for=is_asked_for, has_finer=bool(finer)
    )
    layers = (*finer, terrain, *_coarsen(weights, terrain, units, seed))
    return Layers(layers, len(finer), reason, base)


def find_layers_again(
    weights: csr_array,
    layers: Layers,
    units: FloatArray,
    is_present: NDArray[np.bool_],
    seed: int,
) -> list[IntArray]:
    """Return for each layer the communities found anew, in like number, among some of the nodes.

    Parameters
    ----------
    weights : csr_array of shape (nodes, nodes)
        The graph of all nodes.
    units : float32 array of shape (nodes, dimensions)
        As for `build_layers`.
    is_present : bool array of shape (nodes,)
        The nodes that take part.
    seed : int
        Another one than that of the layers, so that chance shows.

    Returns
    -------
    int32 arrays of shape (nodes,), labels from 0; what absent nodes get has no meaning
    """
    part = drop_nodes(weights, is_present)
    base = find_communities(part, resolution=layers.base_resolution, seed=seed, pass_count=1)
    below = renumber(np.where(is_present, base, np.int32(-1)))
    found: list[IntArray] = []
    for labels in layers.labels:
        below = join_clusters(part, below, _count(labels), seed=seed, units=units)
        found.append(below)
    return found


def _refine(
    weights: csr_array, labels: IntArray, row_counts: NDArray[np.int64], seed: int
) -> tuple[list[IntArray], float]:
    """Return layers finer than ``labels``, finest first, and the resolution of the finest."""
    count = _count(labels)
    if count == 0:
        return [], _FINER_RESOLUTIONS[0]
    rows = int(row_counts[labels >= 0].sum())
    wanted = round(min(count * _STEP**_MOST_STEPS, rows / _SMALLEST_MEAN_SIZE))
    resolution = _find_resolution(weights, max(wanted, count), seed)
    layers: list[IntArray] = []
    if wanted >= count * _SMALLEST_STEP:
        layers.append(_split(weights, labels, row_counts, resolution, seed))
    if layers and wanted >= count * _SMALLEST_STEP * _STEP:
        middle = round(np.sqrt(count * _count(layers[0])))
        layers.append(join_clusters(weights, layers[0], middle, seed=seed, groups=labels))
    return _thin_out([*layers, labels])[:-1], resolution


def _thin_out(layers: list[IntArray]) -> list[IntArray]:
    """Return the layers without those that have hardly more clusters than a coarser one."""
    kept = layers[-1:]
    for layer in layers[-2::-1]:
        if _count(layer) >= _SMALLEST_STEP * _count(kept[0]):
            kept.insert(0, layer)
    return kept


def _find_resolution(weights: csr_array, wanted: int, seed: int) -> float:
    """Return the lowest resolution tried at which the graph has ``wanted`` communities."""

    def count_at(resolution: float) -> int:
        return _count(find_communities(weights, resolution=resolution, seed=seed, pass_count=1))

    place = bisect_left(_FINER_RESOLUTIONS, wanted, key=count_at)
    return _FINER_RESOLUTIONS[min(place, len(_FINER_RESOLUTIONS) - 1)]


def _split(
    weights: csr_array,
    labels: IntArray,
    row_counts: NDArray[np.int64],
    resolution: float,
    seed: int,
) -> IntArray:
    """Return the communities within each cluster, the small ones joined."""
    groups = np.where(labels >= 0, labels, _count(labels)).astype(np.int32)
    parts = find_communities(weights, resolution=resolution, groups=groups, seed=seed, pass_count=1)
    parts = renumber(np.where(labels >= 0, parts, np.int32(-1)))
    return join_small_clusters(weights, parts, row_counts, _SMALLEST_PART, groups=groups)


def _coarsen(weights: csr_array, labels: IntArray, units: FloatArray, seed: int) -> list[IntArray]:
    """Return layers coarser than ``labels``, finest first."""
    layers: list[IntArray] = []
    while len(layers) < _MOST_STEPS:
        below = layers[-1] if layers else labels
        wanted = round(_count(below) / _STEP)
        if wanted < _FEWEST_CLUSTERS:
            break
        found = join_clusters(weights, below, wanted, seed=seed, units=units)
        if not _FEWEST_CLUSTERS <= _count(found) <= _count(below) / _SMALLEST_STEP:
            break
        layers.append(found)
    return layers


def _describe(
    count: int, partition_count: int, most: int, *, is_asked_for: bool, has_finer: bool
) -> str:
    if partition_count == 0:
        return "There is no cluster, so there is one layer, without hills."
    hills = "1 hill" if count == 1 else f"{count} hills"
    if count != partition_count:
        parting = "; a finer layer parts them" if has_finer else ""
        return (
            f"The terrain shows {hills}: the {partition_count} clusters found are more than a"
            f" person can take in at once (about {most} for this many rows), so the most strongly"
            f" tied ones are joined{parting}."
        )
    if is_asked_for:
        return f"The terrain shows {hills}: the clusters as asked for."
    return (
        f"The terrain shows {hills}: the clusters found, no more than a person can take in at once"
        f" (about {most} for this many rows)."
    )


def _count(labels: IntArray) -> int:
    return int(labels.max(initial=-1)) + 1
