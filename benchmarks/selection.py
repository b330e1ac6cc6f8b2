"""Row selection alone: 30 % of the rows, beside the neighbour graph and plain facility location.

The peer is facility location as submodular selection libraries have it: lazy greedy (Minoux 1978)
over a heap of upper bounds, on the same neighbour graph, without clusters, discounts or coverage;
in plain Python and NumPy as well, so that the ratio compares what is computed. The graph search is
what a dataset has paid before its first selection. Matrix products run on one thread, as in the
service. Processor time is what survives other work on the machine.

Rows are drawn from the real vectors at hand; more than there are, are made of them (see
benchmarks/resampled.py). Slots are the nearest of 60 rows drawn at random, the counts at most 1.5
times as many rows as an even share would be.
"""

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from heapq import heapify, heappop, heappushpop

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from benchmarks.labelled import add_set_options, chosen_sets
from benchmarks.report import Figure, Report, make_parser, median_figure
from benchmarks.resampled import NEIGHBOR_COUNT, resample
from cluster_svc.graph import NeighborGraph, build_graph
from cluster_svc.neighbors.blas import one_blas_thread
from cluster_svc.settings import count_cores
from levelling.plans.picks import PickTask
from levelling.request import SamplingStrategy
from levelling.selection import select_rows

SLOTS = 60
SHARE = 0.3
SECONDS_GOAL = 10.0
"""For 100,000 rows; for more in proportion."""

Method = Callable[[], object]


def main() -> None:
    """Run the benchmark."""
    options = _read_options()
    report = Report("selection", vars(options))
    real = np.concatenate([chosen.vectors for chosen in chosen_sets(options)])
    print(f"{len(real):,} real vectors of {real.shape[1]} dimensions at hand\n")
    for count in options.rows:
        measure(report, draw(real, count), options.repeats)
    report.finish(options.json)


def draw(real: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return so many vectors, drawn from real ones or made of them."""
    if count > len(real):
        return resample(real, count, threads=count_cores())
    return real[np.random.default_rng(0).permutation(len(real))[:count]].astype(np.float32)


def measure(report: Report, vectors: NDArray[np.float32], repeats: int) -> None:
    """Add processor time, ratios and memory for one number of rows; methods take turns."""
    graph = build_graph(vectors, NEIGHBOR_COUNT, thread_count=count_cores())
    arrays = (graph.node_of_row, graph.indices, graph.distances)
    free, even = make_task(vectors, None), make_task(vectors, SLOTS)
    budget = free.budget
    methods: dict[str, Method] = {
        "neighbour graph": partial(
            build_graph, vectors, NEIGHBOR_COUNT, thread_count=count_cores()
        ),
        "plain facility location": lambda: pick_plainly(graph, budget),
        "Level, any rows": lambda: select_rows(vectors, arrays, free),
        "Level, counts": lambda: select_rows(vectors, arrays, even),
    }
    spent: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(repeats):
        for name, method in methods.items():
            spent[name].append(processor_seconds(method))
    _add(report, f"{len(vectors):,} rows", SECONDS_GOAL * max(len(vectors) / 1e5, 1), spent)


def make_task(vectors: NDArray[np.float32], slots: int | None) -> PickTask:
    """Return a task of 30 % of the rows: any of them, or counts of so many slots."""
    row_count = len(vectors)
    chance = np.random.default_rng(0)
    centres = vectors[chance.choice(row_count, SLOTS, replace=False)]
    labels = (vectors @ centres.T).argmax(axis=1).astype(np.int32)
    most = int(1.5 * SHARE * row_count / SLOTS)
    counts = None if slots is None else np.minimum(np.bincount(labels, minlength=slots), most)
    return PickTask(
        labels=labels,
        slot_count=SLOTS,
        counts=counts,
        budget=int(SHARE * row_count) if counts is None else int(counts.sum()),
        candidates=np.ones(row_count, bool),
        near_dup_groups=None,
        keepers=np.ones(row_count, bool),
        strategy=SamplingStrategy.DIVERSE,
        seed=0,
    )


def processor_seconds(method: Method) -> float:
    """Return the processor time of a call."""
    with one_blas_thread():
        began = time.process_time()
        method()
        return time.process_time() - began


def pick_plainly(graph: NeighborGraph, budget: int) -> list[int]:
    """Return nodes by lazy greedy facility location on the graph, made symmetric."""
    near = _similarities(graph)
    starts, ends, values = near.indptr.tolist(), near.indices, near.data
    best = np.zeros(near.shape[0], np.float32)
    heap = [(-float(gain), node) for node, gain in enumerate(near.sum(axis=0))]
    heapify(heap)
    picked: list[int] = []
    item = heappop(heap)
    while len(picked) < min(budget, best.size):
        node = item[1]
        part = slice(starts[node], starts[node + 1])
        gain = float(np.maximum(values[part] - best[ends[part]], 0).sum())
        if not heap or gain >= -heap[0][0]:
            picked.append(node)
            best[ends[part]] = np.maximum(best[ends[part]], values[part])
            item = heappop(heap) if heap else item
        else:
            item = heappushpop(heap, (-gain, node))
    return picked


def _similarities(graph: NeighborGraph) -> csr_array:
    nodes, count = graph.indices.shape
    cosines = np.maximum(1 - graph.distances.astype(np.float32), 0).ravel()
    starts = np.arange(0, nodes * count + 1, count)
    named = csr_array((cosines, graph.indices.ravel(), starts), shape=(nodes, nodes))
    itself = csr_array(
        (np.ones(nodes, np.float32), np.arange(nodes), np.arange(nodes + 1)), shape=(nodes, nodes)
    )
    symmetric: csr_array = (named.maximum(named.T) + itself).tocsr()
    return symmetric


def _add(report: Report, label: str, goal: float, spent: dict[str, list[float]]) -> None:
    graph, plain = (np.median(spent[name]) for name in list(spent)[:2])
    for name, seconds in spent.items():
        own = name.startswith("Level")
        bound = goal if own else None
        report.add(median_figure(f"{label}, {name}, processor", seconds, "s", bound))
        if own:
            ratio = float(np.median(seconds))
            report.add(
                Figure(f"{label}, {name} / graph", ratio / float(graph), ""),
                Figure(f"{label}, {name} / plain facility location", ratio / float(plain), ""),
            )
    print(f"  load average {os.getloadavg()[0]:.1f}\n")


def _read_options() -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_set_options(parser)
    add = parser.add_argument
    add("--rows", type=int, nargs="+", default=[100_000], help="default: %(default)s")
    add("--repeats", type=int, default=3, help="measured runs of each (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
