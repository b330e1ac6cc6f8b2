"""The layers of a clustering as callers see them: cluster ids, figures, strengths, exemplars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cluster_svc.algorithms.specification import EpsPoint, Parameters
from cluster_svc.compiled import ReportFraction
from cluster_svc.density import Noise
from cluster_svc.exemplars import ExemplarKind, sample_layer
from cluster_svc.graph import NeighborGraph
from cluster_svc.landmarks import Landmarks
from cluster_svc.membership import Membership, measure_memberships
from cluster_svc.ranking import RankedLayers
from cluster_svc.statistics import ClusterStats, merge_sums, stats_of_sums, sum_clusters
from cluster_svc.vectors import FloatArray, IntArray

LongArray = NDArray[np.int64]
DoubleArray = NDArray[np.float64]


@dataclass(frozen=True)
class ClusterLayer:
    """One labelling of all rows.

    Arrays by cluster are in the order of the ids: largest cluster first, ties by first row.

    Attributes
    ----------
    first_cluster_id : int
        The lowest id; ids run without gaps. The terrain layer starts at 0, the others go on from
        there, finest first, so that an id is unique over all layers.
    is_terrain : bool
        Whether a terrain shows this layer unless another is asked for.
    labels : int32 array of shape (rows,)
        The id of each row's cluster, -1 for noise; the same rows are noise in every layer.
    nearest : int32 array of shape (rows,)
        The id of the cluster that the row is nearest to; see `Membership`.
    strengths : float32 array of shape (rows,)
        How firmly each row belongs to ``nearest``, 0 to 1.
    stats : ClusterStats
        Size, centroid and spread of each cluster.
    exemplars
        For each cluster the int64 row ids that stand for it.
    parent_ids : int32 array of shape (clusters,)
        The cluster of the next coarser layer that each lies in; -1 in the coarsest.
    stability : float64 array of shape (clusters,)
        How well each survives other seeds and samples of the rows, 0 to 1; see `measure_stability`.
    """

    first_cluster_id: int
    is_terrain: bool
    labels: IntArray
    nearest: IntArray
    strengths: FloatArray
    stats: ClusterStats
    exemplars: tuple[LongArray, ...]
    parent_ids: IntArray
    stability: DoubleArray

    @property
    def cluster_count(self) -> int:
        """How many clusters it has."""
        return len(self.stats.sizes)


@dataclass(frozen=True)
class Clustering:
    """Layers of clusters over all rows, and how they were found.

    Attributes
    ----------
    layers
        Finest first; nested: all rows of a cluster are in one cluster of the next layer.
    algorithm : str
        The algorithm that gave the labels; for ``auto``, the one it chose.
    reason : str
        One sentence for people: why this one and what it found.
    parameters
        Every parameter in effect, automatic choices included.
    eps_curve
        The curve behind an automatic eps, by rising eps; empty without one.
    noise : Noise
        How many rows are noise in every layer, and why.
    layer_reason : str
        One sentence for people: why the terrain layer is the one it is.
    graph_recall : float
        Share of true neighbours in the graph, 0 to 1.
    landmarks : Landmarks
        What assigning new rows needs beside the vectors and the labels.
    """

    layers: tuple[ClusterLayer, ...]
    algorithm: str
    reason: str
    parameters: Parameters
    eps_curve: tuple[EpsPoint, ...]
    noise: Noise
    layer_reason: str
    graph_recall: float
    landmarks: Landmarks

    @property
    def terrain(self) -> ClusterLayer:
        """The layer that a terrain shows."""
        return next(layer for layer in self.layers if layer.is_terrain)

    @property
    def noise_count(self) -> int:
        """Rows in no cluster."""
        return int((self.terrain.labels < 0).sum())


def describe_layers(
    units: FloatArray,
    graph: NeighborGraph,
    layers: RankedLayers,
    *,
    exemplar_count: int,
    exemplar_kind: ExemplarKind,
    thread_count: int = 1,
    report: ReportFraction = lambda fraction: None,
) -> tuple[ClusterLayer, ...]:
    """Return all that is to be said of each layer, finest first.

    Parameters
    ----------
    units : float32 array of shape (nodes, dimensions)
        The directions of the nodes, of length 1 or 0.
    graph : NeighborGraph
        Which rows the nodes are.
    layers : RankedLayers
        Which nodes are together.
    exemplar_count : int
        Exemplars of each cluster, 1 to 10.
    """
    stats = _measure_stats(units, graph, layers)
    memberships = measure_memberships(
        units,
        [(labels, part.centroids) for labels, part in zip(layers.labels, stats, strict=True)],
        thread_count=thread_count,
        report=report,
    )
    exemplars = [
        sample_layer(
            units,
            graph,
            labels,
            part,
            membership,
            exemplar_count,
            exemplar_kind,
            thread_count=thread_count,
        )
        for labels, part, membership in zip(layers.labels, stats, memberships, strict=True)
    ]
    return tuple(
        _expand(graph, layers, index, stats[index], memberships[index], exemplars[index])
        for index in range(len(stats))
    )


def _measure_stats(
    units: FloatArray, graph: NeighborGraph, layers: RankedLayers
) -> list[ClusterStats]:
    """Return the figures of every layer; only the finest is summed up from its rows."""
    sizes, sums = sum_clusters(units, layers.labels[0], graph.multiplicities)
    stats = [stats_of_sums(sizes, sums)]
    for parents, coarser in pairwise(layers.parents):
        sizes, sums = merge_sums(sizes, sums, parents, len(coarser))
        stats.append(stats_of_sums(sizes, sums))
    return stats


def _expand(
    graph: NeighborGraph,
    layers: RankedLayers,
    index: int,
    stats: ClusterStats,
    membership: Membership,
    exemplars: Sequence[LongArray],
) -> ClusterLayer:
    """Return a layer of rows, by cluster ids, from one of nodes, by numbers from 0."""
    first_ids = layers.first_ids
    first_id = first_ids[index]
    parents = layers.parents[index]
    is_coarsest = index + 1 == len(first_ids)
    return ClusterLayer(
        first_cluster_id=first_id,
        is_terrain=index == layers.terrain_index,
        labels=_ids(layers.labels[index], first_id)[graph.node_of_row],
        nearest=_ids(membership.nearest, first_id)[graph.node_of_row],
        strengths=membership.strengths[graph.node_of_row],
        stats=stats,
        exemplars=tuple(exemplars),
        parent_ids=parents if is_coarsest else _ids(parents, first_ids[index + 1]),
        stability=layers.stability[index],
    )


def _ids(numbers: IntArray, first_id: int) -> IntArray:
    """Return the cluster ids of numbers from 0; -1 stays."""
    return np.where(numbers >= 0, numbers + np.int32(first_id), np.int32(-1))
