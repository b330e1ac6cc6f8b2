"""The eps of DBSCAN, chosen from all of them at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cluster_svc.algorithms.density_tree import DensityTree
from cluster_svc.algorithms.specification import EpsPoint
from cluster_svc.communities.agreement import adjusted_mutual_information
from cluster_svc.communities.leiden import find_communities
from cluster_svc.fuzzy import fuzzy_graph
from cluster_svc.graph import NeighborGraph
from cluster_svc.vectors import FloatArray, IntArray

# Enough to hit the narrow window in which DBSCAN separates real text, at a millisecond each.
_EPS_COUNT = 60

# Rows with clear gaps between clusters leave next to no noise; text at its best eps leaves a sixth
# to a third, and communities then agree better with what people call topics.
MOST_NOISE = 0.10
LARGEST_SHARE = 0.50


@dataclass(frozen=True)
class EpsEstimate:
    """An automatic eps and what led to it.

    Attributes
    ----------
    eps : float
        Cosine distance, 0 to 2.
    agreement : float
        Adjusted mutual information with the partition that it was chosen by, at most 1.
    labels : int32 array of shape (nodes,)
        DBSCAN's labels at that eps, -1 for noise.
    curve
        What each eps tried gives, by rising eps.
    """

    eps: float
    agreement: float
    labels: IntArray
    curve: tuple[EpsPoint, ...]


def estimate_optimal_eps(
    graph: NeighborGraph,
    min_samples: int = 5,
    eps_count: int = _EPS_COUNT,
    *,
    reference: IntArray | None = None,
) -> EpsEstimate:
    """Return the eps at which DBSCAN's clusters agree best with the communities of the graph.

    All eps of a grid of quantiles of the core distances are tried from one spanning tree. The one
    with the highest adjusted mutual information with the communities wins, noise counted as one
    more cluster. Where some eps separate the rows clearly (at most 10 % noise, no cluster with over
    half of the rows), the best of those wins. The knee of the k-distance curve, the usual rule,
    merges real text into one cluster.

    Parameters
    ----------
    graph : NeighborGraph
    min_samples : int
        As for DBSCAN.
    eps_count : int
        The most eps to try.
    reference : int32 array of shape (nodes,), optional
        The communities; found at a resolution of 1 when not given.
    """
    if reference is None:
        reference = find_communities(fuzzy_graph(graph))
    scan = scan_eps(graph, min_samples, eps_count)
    return scan.choose(reference, only_clear=False) or scan.fall_back()


@dataclass(frozen=True)
class EpsScan:
    """What DBSCAN gives at every eps of a grid.

    Attributes
    ----------
    tree : DensityTree
        Gives the labels at any eps.
    curve
        By rising eps.
    """

    tree: DensityTree
    curve: tuple[EpsPoint, ...]

    def choose(self, reference: IntArray, *, only_clear: bool) -> EpsEstimate | None:
        """Return the eps that agrees best with a partition, None when no eps gives two clusters.

        Parameters
        ----------
        reference : int32 array of shape (nodes,)
            Labels from 0, -1 for noise.
        only_clear : bool
            Whether only eps that separate the rows clearly may be taken; else others are taken
            when there are none.
        """
        points = [point for point in self.curve if separates(point)]
        if not points and not only_clear:
            points = [point for point in self.curve if point.cluster_count > 1]
        best: EpsEstimate | None = None
        best_score = -np.inf
        for point in points:
            labels = self.tree.cut(point.eps)
            score = adjusted_mutual_information(labels + 1, reference + 1)
            if score > best_score:
                best, best_score = EpsEstimate(point.eps, score, labels, self.curve), score
        return best

    def fall_back(self) -> EpsEstimate:
        """Return the eps with the fewest rows in no cluster, the smallest of equal ones."""
        eps = min(self.curve, key=lambda point: point.noise_fraction).eps
        return EpsEstimate(eps, 0.0, self.tree.cut(eps), self.curve)


def scan_eps(graph: NeighborGraph, min_samples: int, eps_count: int = _EPS_COUNT) -> EpsScan:
    """Return what DBSCAN gives at up to ``eps_count`` quantiles of the core distances."""
    tree = DensityTree.grow(graph, min_samples)
    grid = eps_grid(tree.core, eps_count)
    found = tree.sweep(grid)
    curve = tuple(
        EpsPoint(eps, int(count), max(0.0, float(noise)), float(largest))
        for eps, count, noise, largest in zip(
            grid,
            found.cluster_counts,
            found.noise_fractions,
            found.largest_fractions,
            strict=True,
        )
    )
    return EpsScan(tree, curve)


def separates(point: EpsPoint) -> bool:
    """Return whether DBSCAN separates the rows clearly there."""
    clustered = 1 - point.noise_fraction
    return (
        point.cluster_count > 1
        and point.noise_fraction <= MOST_NOISE
        and point.largest_fraction <= LARGEST_SHARE * clustered
    )


def eps_grid(core: FloatArray, eps_count: int) -> list[float]:
    """Return rising eps to try: quantiles of the core distances, or 2 when there are none."""
    finite = core[np.isfinite(core)]
    if len(finite) == 0:
        return [2.0]
    return [float(eps) for eps in np.unique(np.quantile(finite, np.linspace(0.02, 1, eps_count)))]
