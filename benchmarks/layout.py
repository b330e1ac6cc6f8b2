"""How good the layout is and how long it takes, beside umap-learn given the same neighbour graph.

Trustworthiness and kept neighbours are those of 15 neighbours, against the vectors, on a sample of
the rows. A cluster is a community of the graph; a row is on its own hill where no other cluster's
centre on the plane is nearer. All three are shares, 1 at best.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from benchmarks.clustering_speed import Sample
from benchmarks.labelled import LabelledSet, add_set_options, chosen_sets
from benchmarks.peers import PeerProcess, add_peers_option, peer_python
from benchmarks.report import Figure, Report, make_parser, median_figure
from cluster_svc.communities.leiden import find_communities
from cluster_svc.fuzzy import fuzzy_graph
from cluster_svc.graph import NeighborGraph, build_graph
from cluster_svc.layout import lay_out
from cluster_svc.layout.quality import own_hill_fraction
from cluster_svc.settings import count_cores

NEIGHBORS = 15
SAMPLE_SIZE = 1_000

# At most so much below parallel umap-learn, and so many times faster at least.
QUALITY_LOSS = 0.01
SPEED_GOAL = 8.0

OWN, OWN_OF_CLUSTERS = "Level", "Level, clusters given"
PARALLEL, SEEDED = "umap-learn", "umap-learn with a seed"

FloatArray = NDArray[np.float32]
LayOut = Callable[[int], tuple[Sample, FloatArray]]


@dataclass(frozen=True)
class Quality:
    """How good one layout is, and what it took."""

    trustworthiness: float
    kept_neighbors: float
    own_hill: float
    sample: Sample


def main() -> None:
    """Run the benchmark."""
    parser = make_parser(__doc__)
    add_set_options(parser)
    add_peers_option(parser)
    parser.add_argument("--rows", type=int, default=10_000, help="of each set (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="a seed each (%(default)s)")
    options = parser.parse_args()
    report = Report("layout", vars(options))
    python = peer_python(options.peers)
    for chosen in chosen_sets(options):
        drawn = chosen.draw(options.rows)
        if python:
            with PeerProcess(python) as peer:
                _measure(report, drawn, options.rounds, peer)
        else:
            _measure(report, drawn, options.rounds, None)
    report.finish(options.json)


def _measure(report: Report, chosen: LabelledSet, rounds: int, peer: PeerProcess | None) -> None:
    """Add the figures of every layout of one set; the layouts take turns."""
    graph = build_graph(chosen.vectors, NEIGHBORS, thread_count=count_cores())
    vectors = chosen.vectors[graph.first_rows]
    nodes = NeighborGraph(
        np.arange(graph.node_count, dtype=np.int32), graph.indices, graph.distances
    )
    labels = find_communities(fuzzy_graph(nodes))
    works = _own_works(nodes, labels) | (_peer_works(peer, vectors, nodes) if peer else {})
    for work in works.values():
        work(0)  # compiles what is to be compiled
    found: dict[str, list[Quality]] = {name: [] for name in works}
    for seed in range(rounds):
        for name, work in works.items():
            sample, positions = work(seed)
            shown = _neighbor_quality(vectors, positions)
            found[name].append(Quality(*shown, own_hill_fraction(positions, labels), sample))
    print(f"\n{chosen.name}: {len(vectors):,} distinct vectors, {labels.max() + 1} clusters")
    for name, layouts in found.items():
        _report_layouts(report, f"{chosen.name}, {name}", layouts, _bounds(name, found))
    _report_speed(report, chosen.name, found)


def _own_works(graph: NeighborGraph, labels: NDArray[np.int32]) -> dict[str, LayOut]:
    threads = count_cores()

    def laid_out(given: NDArray[np.int32] | None, seed: int) -> tuple[Sample, FloatArray]:
        wall, processor = time.perf_counter(), time.process_time()
        positions = lay_out(graph, seed=seed, labels=given, thread_count=threads)
        sample = Sample(time.perf_counter() - wall, time.process_time() - processor)
        return sample, positions

    return {
        OWN: lambda seed: laid_out(None, seed),
        OWN_OF_CLUSTERS: lambda seed: laid_out(labels, seed),
    }


def _peer_works(peer: PeerProcess, vectors: FloatArray, graph: NeighborGraph) -> dict[str, LayOut]:
    """Return umap-learn's layouts; it counts a node among its 15 neighbours, hence one fewer."""
    own = np.arange(graph.node_count, dtype=np.int32)[:, None]
    arrays = {
        "vectors": peer.share("vectors", vectors),
        "indices": peer.share("indices", np.hstack([own, graph.indices[:, : NEIGHBORS - 1]])),
        "distances": peer.share(
            "distances", np.pad(graph.distances[:, : NEIGHBORS - 1], ((0, 0), (1, 0)))
        ),
    }

    def laid_out(seed: int | None) -> tuple[Sample, FloatArray]:
        result = peer.run("umap_of_graph", arrays, seed=seed)
        return Sample(result.seconds, result.cpu_seconds), result.arrays["positions"]

    return {PARALLEL: lambda seed: laid_out(None), SEEDED: lambda seed: laid_out(seed)}


def _neighbor_quality(vectors: FloatArray, positions: FloatArray) -> tuple[float, float]:
    """Return trustworthiness and the share of kept neighbours, on a sample of the rows.

    Source: J. Venna, S. Kaski, "Neighborhood Preservation in Nonlinear Projection Methods", ICANN
    2001.
    """
    count, k = len(vectors), NEIGHBORS
    units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
    sample = np.random.default_rng(0).permutation(count)[:SAMPLE_SIZE]
    shown = cKDTree(positions).query(positions[sample], k + 1)[1]
    penalty, kept = 0.0, 0
    for row, near in zip(sample, shown, strict=True):
        similarities = units @ units[row]
        similarities[row] = -np.inf
        beside = similarities[near[near != row][:k]]
        ranks = count - np.searchsorted(np.sort(similarities), beside, side="right") + 1
        penalty += float(np.maximum(ranks - k, 0).sum())
        kept += int((ranks <= k).sum())
    pairs = len(sample) * k
    return 1 - 2 * penalty / (pairs * (2 * count - 3 * k - 1)), kept / pairs


def _bounds(name: str, found: dict[str, list[Quality]]) -> tuple[float | None, float | None]:
    """Return the least trustworthiness and the least kept share that a layout should have."""
    if PARALLEL not in found or name not in (OWN, OWN_OF_CLUSTERS):
        return None, None
    rival = found[PARALLEL]
    return (
        statistics.median(layout.trustworthiness for layout in rival) - QUALITY_LOSS,
        statistics.median(layout.kept_neighbors for layout in rival) - QUALITY_LOSS,
    )


def _report_layouts(
    report: Report, name: str, layouts: list[Quality], bounds: tuple[float | None, float | None]
) -> None:
    trusted = [layout.trustworthiness for layout in layouts]
    kept = [layout.kept_neighbors for layout in layouts]
    report.add(
        median_figure(f"{name}, trustworthiness", trusted, "", bounds[0], more_is_better=True),
        median_figure(f"{name}, neighbours kept", kept, "", bounds[1], more_is_better=True),
        median_figure(f"{name}, own hill", [layout.own_hill for layout in layouts], ""),
        median_figure(f"{name}, wall", [layout.sample.seconds for layout in layouts], "s"),
        median_figure(f"{name}, cpu", [layout.sample.cpu_seconds for layout in layouts], "s"),
    )


def _report_speed(report: Report, name: str, found: dict[str, list[Quality]]) -> None:
    own = statistics.median(layout.sample.seconds for layout in found[OWN])
    for rival, goal in ((PARALLEL, SPEED_GOAL), (SEEDED, None)):
        if rival in found:
            theirs = statistics.median(layout.sample.seconds for layout in found[rival])
            report.add(Figure(f"{name}, faster than {rival}", theirs / own, "times", goal, True))


if __name__ == "__main__":
    main()
