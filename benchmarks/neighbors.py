"""The neighbour graph alone: Level's searches beside PyNNDescent, FAISS and scikit-learn.

Rows are drawn from the real vectors at hand; more than there are, are made of them (see
benchmarks/resampled.py) and are easier than real ones. Everything is warm, in one process each;
the methods take turns. Processor time is what survives other work on the machine. Recall is that
of a sample of 1,000 rows. Peers' recall and Level's are of the same unit vectors.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.labelled import add_set_options, chosen_sets
from benchmarks.peers import PeerFailed, PeerProcess, add_peers_option, peer_python
from benchmarks.report import Figure, Report, make_parser, median_figure
from benchmarks.resampled import NEIGHBOR_COUNT, resample
from benchmarks.scale import recall
from cluster_svc.neighbors import approximate_neighbors, exact_neighbors, is_exact
from cluster_svc.neighbors.forest import grow_tree
from cluster_svc.settings import count_cores
from cluster_svc.vectors import merge_identical_rows, normalize_rows

Found = tuple[float, float, NDArray[np.int32]]
Method = Callable[[], Found]

# Peers that compare every pair of rows are left out above so many.
PAIRWISE_LIMIT = 30_000
PEERS = ("pynndescent", "faiss_flat", "faiss_hnsw", "sklearn_neighbors")
PAIRWISE_PEERS = ("faiss_flat", "sklearn_neighbors")
RECALL_GOAL = 0.95


@dataclass(frozen=True)
class Prepared:
    """Different unit vectors in the order in which Level numbers them."""

    units: NDArray[np.float32]
    thread_count: int


def main() -> None:
    """Run the benchmark."""
    options = _read_options()
    report = Report("neighbors", vars(options))
    real = np.concatenate([chosen.vectors for chosen in chosen_sets(options)])
    print(f"{len(real):,} real vectors of {real.shape[1]} dimensions at hand\n")
    python = peer_python(options.peers)
    for count in sorted(options.rows):
        prepared = prepare(real, count)
        if python is None:
            measure(report, prepared, _own_methods(prepared), options.repeats)
            continue
        with PeerProcess(python) as peer:
            print(", ".join(f"{name} {number}" for name, number in peer.versions().items()))
            methods = _own_methods(prepared) | dict(_peer_methods(peer, prepared))
            measure(report, prepared, methods, options.repeats)
    report.finish(options.json)


def prepare(real: NDArray[np.float32], count: int) -> Prepared:
    """Return so many vectors, drawn from real ones or made of them."""
    threads = count_cores()
    if count <= len(real):
        rows = np.random.default_rng(0).permutation(len(real))[:count]
        vectors = real[rows]
    else:
        vectors = resample(real, count, threads=threads)
    _, first_rows = merge_identical_rows(vectors, thread_count=threads)
    units = normalize_rows(vectors, first_rows, thread_count=threads)
    if not is_exact(len(units), NEIGHBOR_COUNT):
        units = units[grow_tree(units, 100, (0, 0), thread_count=threads).order]
    return Prepared(units, threads)


def measure(report: Report, prepared: Prepared, methods: dict[str, Method], repeats: int) -> None:
    """Add the seconds, processor time and recall of every method."""
    found: dict[str, list[Found]] = {}
    for name, method in list(methods.items()):
        try:
            method()
        except PeerFailed as error:
            print(f"  left out: {name}: {str(error).strip().splitlines()[-1]}")
            del methods[name]
    for _ in range(repeats):
        for name, method in methods.items():
            found.setdefault(name, []).append(method())
    rows = np.arange(len(prepared.units))
    for name, runs in found.items():
        label = f"{len(rows):,} rows, {name}"
        share = recall(prepared.units, rows, runs[-1][2])
        goal = RECALL_GOAL if name.startswith("Level") else None
        report.add(
            median_figure(label, [seconds for seconds, _, _ in runs], "s"),
            median_figure(f"{label}, processor", [cpu for _, cpu, _ in runs], "s"),
            Figure(f"{label}, recall@{NEIGHBOR_COUNT}", share, "", goal, more_is_better=True),
        )
    print(f"  load average {os.getloadavg()[0]:.1f}\n")


def _own_methods(prepared: Prepared) -> dict[str, Method]:
    methods: dict[str, Method] = {"Level, approximate": partial(_search, prepared, False)}
    if len(prepared.units) <= 2 * PAIRWISE_LIMIT:
        methods["Level, exact"] = partial(_search, prepared, True)
    return methods


def _search(prepared: Prepared, is_exact: bool) -> Found:
    search = exact_neighbors if is_exact else approximate_neighbors
    wall, processor = time.perf_counter(), time.process_time()
    indices, _ = search(prepared.units, NEIGHBOR_COUNT, thread_count=prepared.thread_count)
    return time.perf_counter() - wall, time.process_time() - processor, indices


def _peer_methods(peer: PeerProcess, prepared: Prepared) -> Iterator[tuple[str, Method]]:
    arrays = {"vectors": peer.share("units", prepared.units)}
    for task in PEERS:
        if task not in PAIRWISE_PEERS or len(prepared.units) <= PAIRWISE_LIMIT:
            yield task, partial(_ask, peer, task, arrays)


def _ask(peer: PeerProcess, task: str, arrays: dict[str, str]) -> Found:
    options = {"seed": 0} if task == "pynndescent" else {}
    result = peer.run(task, arrays, neighbor_count=NEIGHBOR_COUNT, **options)
    return result.seconds, result.cpu_seconds, without_self(result.arrays["indices"])


def without_self(indices: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return k of each row's k + 1 neighbours: all but the row itself, or the last one."""
    rows = np.arange(len(indices))[:, None]
    order = np.argsort(indices == rows, axis=1, kind="stable")[:, : indices.shape[1] - 1]
    return np.take_along_axis(indices, np.sort(order, axis=1), axis=1).astype(np.int32)


def _read_options() -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_set_options(parser)
    add_peers_option(parser)
    add = parser.add_argument
    add("--rows", type=int, nargs="+", default=[10_000, 100_000], help="default: %(default)s")
    add("--repeats", type=int, default=3, help="measured runs of each (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
