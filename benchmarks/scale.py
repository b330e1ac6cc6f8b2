"""How time and memory grow: 100,000 and 1,000,000 vectors to clusters and a layout.

The vectors are made of real ones (see benchmarks/resampled.py), so they are easier than real ones
of that number. Each size runs in a process of its own, with the code compiled before; the peak is
the process's highest resident memory, the vectors included.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.labelled import add_set_options, chosen_sets
from benchmarks.peers import PeerProcess, add_peers_option, peer_python
from benchmarks.report import REPOSITORY, Figure, Report, make_parser
from benchmarks.resampled import NEIGHBOR_COUNT, resample
from benchmarks.whole_run import run_whole
from cluster_svc.settings import count_cores

# For so many rows: seconds, gigabytes.
GOALS = {100_000: (40.0, 2.0), 1_000_000: (720.0, 8.0)}
GROWTH_GOAL = 1.15
RECALL_GOAL = 0.95
PEER_ROWS = 100_000
SAMPLE_SIZE = 1_000
WARM_UP_ROWS = 40_000


@dataclass(frozen=True)
class Measured:
    """What one process took; seconds by the clock but for ``cpu_seconds``."""

    graph_seconds: float
    clustering_seconds: float
    layout_seconds: float
    cpu_seconds: float
    peak_bytes: int
    recall: float
    cluster_count: int

    @property
    def seconds(self) -> float:
        """From vectors to clusters and positions."""
        return self.graph_seconds + self.clustering_seconds + self.layout_seconds


def main() -> None:
    """Run the benchmark, or, as a process of its own, one size of it."""
    if len(sys.argv) == 3 and sys.argv[1] == "--measure":
        print(json.dumps(asdict(measure_here(Path(sys.argv[2])))))
        return
    options = _read_options()
    report = Report("scale", vars(options))
    real = np.concatenate([chosen.vectors for chosen in chosen_sets(options)])
    print(f"made of {len(real):,} real vectors of {real.shape[1]} dimensions")
    with tempfile.TemporaryDirectory(prefix="level-scale-") as folder:
        measured = {}
        for count in sorted(options.rows):
            path = Path(folder) / f"{count}.npy"
            np.save(path, resample(real, count, threads=count_cores()))
            measured[count] = _measure(report, path, count)
            if count == PEER_ROWS and (python := peer_python(options.peers)):
                _measure_peer(report, python, path, measured[count])
            path.unlink()
    _report_growth(report, measured)
    report.finish(options.json)


def measure_here(path: Path) -> Measured:
    """Return what this process takes for the vectors of a file."""
    chance = np.random.default_rng(0)
    # As many as it needs for every part to be compiled, of few dimensions.
    run_whole(chance.standard_normal((WARM_UP_ROWS, 16), dtype=np.float32))
    vectors = np.load(path)
    _forget_peak()
    processor = time.process_time()
    run = run_whole(vectors)
    cpu_seconds, peak_bytes = time.process_time() - processor, _peak_bytes()
    return Measured(
        run.graph_seconds,
        run.clustering_seconds,
        run.layout_seconds,
        cpu_seconds,
        peak_bytes,
        recall(vectors, run.graph.first_rows, run.graph.indices),
        run.clustering.terrain.cluster_count,
    )


def recall(
    vectors: NDArray[np.float32], rows: NDArray[np.int64], indices: NDArray[np.int32]
) -> float:
    """Return the share of true nearest neighbours among those found, on a sample of 1,000 nodes.

    Counted by distance, so that another of several equally near neighbours is no miss.

    Parameters
    ----------
    vectors : float32 array of shape (rows, dimensions)
    rows : int64 array of shape (nodes,)
        The row of each node.
    indices : int32 array of shape (nodes, k)
        The neighbours found, as nodes.
    """
    nodes = vectors[rows]
    nodes /= np.linalg.norm(nodes, axis=1, keepdims=True)
    k = indices.shape[1]
    hits = 0
    for node in np.random.default_rng(0).permutation(len(nodes))[:SAMPLE_SIZE]:
        similarities = nodes @ nodes[node]
        found = similarities[indices[node]]
        similarities[node] = -np.inf
        hits += int((found >= np.partition(similarities, -k)[-k] - 1e-6).sum())
    return hits / float(min(SAMPLE_SIZE, len(nodes)) * k)


def _read_options() -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_set_options(parser)
    add_peers_option(parser)
    parser.add_argument(
        "--rows", type=int, nargs="+", default=sorted(GOALS), help="default: %(default)s"
    )
    return parser.parse_args()


def _measure(report: Report, path: Path, count: int) -> Measured:
    command = [sys.executable, "-m", "benchmarks.scale", "--measure", str(path)]
    answer = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, check=True, text=True)
    found = Measured(**json.loads(answer.stdout.splitlines()[-1]))
    seconds, gigabytes = GOALS.get(count, (None, None))
    rows = f"{count:,} rows"
    report.add(
        Figure(f"{rows}, vectors to labels and positions", found.seconds, "s", seconds),
        Figure(f"{rows}, the graph", found.graph_seconds, "s"),
        Figure(f"{rows}, clusters", found.clustering_seconds, "s"),
        Figure(f"{rows}, the layout", found.layout_seconds, "s"),
        Figure(f"{rows}, processor time", found.cpu_seconds, "s"),
        Figure(f"{rows}, peak memory", found.peak_bytes / 1e9, "GB", gigabytes),
        Figure(f"{rows}, recall@{NEIGHBOR_COUNT}", found.recall, "", RECALL_GOAL, True),
        Figure(f"{rows}, clusters found", found.cluster_count, ""),
    )
    return found


def _measure_peer(report: Report, python: Path, path: Path, ours: Measured) -> None:
    """Add the seconds and recall of PyNNDescent for the same graph, in a warm process."""
    with PeerProcess(python) as peer:
        print("pynndescent " + peer.versions()["pynndescent"])
        arrays = {"vectors": str(path)}
        peer.run("pynndescent", arrays, neighbor_count=NEIGHBOR_COUNT, seed=0)
        found = peer.run("pynndescent", arrays, neighbor_count=NEIGHBOR_COUNT, seed=0)
    vectors = np.load(path)
    report.add(
        Figure("PyNNDescent, the graph", found.seconds, "s"),
        Figure("PyNNDescent, processor time", found.cpu_seconds, "s"),
        Figure(
            f"PyNNDescent, recall@{NEIGHBOR_COUNT}",
            recall(vectors, np.arange(len(vectors)), found.arrays["indices"][:, 1:]),
            "",
        ),
        Figure("Level's graph, times PyNNDescent's", ours.graph_seconds / found.seconds, "", 1.0),
    )


def _report_growth(report: Report, measured: dict[int, Measured]) -> None:
    counts = sorted(measured)
    for fewer, more in pairwise(counts):
        ratio = math.log(more / fewer)
        for name in ("seconds", "cpu_seconds"):
            times = getattr(measured[more], name) / getattr(measured[fewer], name)
            goal = GROWTH_GOAL if name == "seconds" else None
            label = f"{fewer:,} to {more:,}, exponent of {name.replace('_', ' ')}"
            report.add(Figure(label, math.log(times) / ratio, "", goal))


def _forget_peak() -> None:
    """Make this process's highest resident memory what it is now; Linux only."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak_bytes() -> int:
    """Return the highest resident memory of this process since `_forget_peak`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


if __name__ == "__main__":
    main()
