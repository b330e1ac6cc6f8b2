"""Vectors to clusters and positions in this process, as the cluster service does it for a job."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cluster_svc.clusters import Clustering, run_clustering
from cluster_svc.graph import NeighborGraph
from cluster_svc.layout import lay_out
from cluster_svc.settings import count_cores


@dataclass(frozen=True)
class WholeRun:
    """What came of a set of vectors, and when each part was there.

    Attributes
    ----------
    clustering, graph
        See `run_clustering`.
    positions : float32 array of shape (rows, 2)
    graph_seconds, clustering_seconds, layout_seconds : float
        Wall time of each part; clustering is what follows the graph.
    """

    clustering: Clustering
    graph: NeighborGraph
    positions: NDArray[np.float32]
    graph_seconds: float
    clustering_seconds: float
    layout_seconds: float


def run_whole(
    vectors: NDArray[np.float32], *, seed: int = 0, thread_count: int | None = None
) -> WholeRun:
    """Return clusters, their statistics and exemplars, and the layout; all cores by default."""
    threads = thread_count or count_cores()
    graphs: list[tuple[float, NeighborGraph]] = []
    began = time.perf_counter()
    clustering = run_clustering(
        vectors,
        seed=seed,
        thread_count=threads,
        on_graph=lambda graph: graphs.append((time.perf_counter(), graph)),
    )
    clustered = time.perf_counter()
    [(built, graph)] = graphs
    positions = lay_out(graph, seed=seed, labels=clustering.terrain.labels, thread_count=threads)
    laid_out = time.perf_counter()
    return WholeRun(
        clustering, graph, positions, built - began, clustered - built, laid_out - clustered
    )


def main() -> None:
    """Run once for a file of vectors: what a cold process takes is measured from outside."""
    run_whole(np.load(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
