"""How long the same vectors take Level and the peers, to clusters, statistics and a layout."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.labelled import LabelledSet
from benchmarks.peers import PeerFailed, PeerProcess, run_cold
from benchmarks.report import REPOSITORY, Figure, Report, median_figure
from benchmarks.whole_run import run_whole
from cluster_svc.graph import build_graph
from cluster_svc.layout import lay_out
from cluster_svc.settings import count_cores

# What an oracle with the labels would choose for banking77, where DBSCAN does best.
DBSCAN_EPS = 0.15

# Times faster than each, at least: without and with a matrix product in bf16.
GOALS = {
    "BERTopic": (12.0, 20.0),
    "DBSCAN + umap-learn": (10.0, 16.0),
    "DBSCAN + umap-learn with a seed": (10.0, 16.0),
    "EVoC + umap-learn": (5.0, 8.0),
}
LAYOUT_GOAL = 8.0
COLD_GOALS = {"code cached": 5.0, "cache empty": 20.0}


@dataclass(frozen=True)
class Sample:
    """Seconds of one run: by the clock, and of all processors together."""

    seconds: float
    cpu_seconds: float


Work = Callable[[], Sample]


def measure_warm(
    report: Report, peer: PeerProcess | None, chosen: LabelledSet, *, rounds: int, has_bf16: bool
) -> None:
    """Add the seconds of Level and of each peer, in turns, and how many times faster Level is.

    Every work is done once before, for all rows, so that nothing is compiled in a measured round.
    """
    works = {"Level": lambda: _timed(lambda: run_whole(chosen.vectors))}
    layouts = {"Level, layout": _layout_work(chosen)}
    if peer:
        works |= _peer_works(peer, chosen)
        path = peer.share("vectors", chosen.vectors)
        layouts["umap-learn, layout"] = lambda: _of_peer(peer, "umap", {"vectors": path})
    print(f"{chosen.name}, {len(chosen.vectors):,} vectors, {rounds} rounds in turns\n")
    samples = _take_turns(works | layouts, rounds)
    for name, taken in samples.items():
        report.add(median_figure(name, [sample.seconds for sample in taken], "s"))
        report.add(median_figure(f"{name}, cpu", [sample.cpu_seconds for sample in taken], "s"))
    goals = {name: bounds[has_bf16] for name, bounds in GOALS.items()}
    _report_ratios(report, samples, "Level", goals)
    _report_ratios(report, samples, "Level, layout", {"umap-learn, layout": LAYOUT_GOAL})
    _report_parts(report, chosen)


def measure_cold(report: Report, python: Path | None, chosen: LabelledSet, rounds: int) -> None:
    """Add the seconds of new processes, from their start to their end, with and without a cache.

    BERTopic's has its caches as they come: what other runs have left in its environment.
    """
    with tempfile.TemporaryDirectory(prefix="level-cold-") as folder:
        vectors = Path(folder) / "vectors.npy"
        np.save(vectors, chosen.vectors)
        cache = Path(folder) / "cache"
        empty = [_cold_seconds(vectors, Path(folder) / f"cache-{n}") for n in range(rounds)]
        _cold_seconds(vectors, cache)
        cached = [_cold_seconds(vectors, cache) for _ in range(rounds)]
        report.add(median_figure("Level cold, code cached", cached, "s", COLD_GOALS["code cached"]))
        report.add(median_figure("Level cold, cache empty", empty, "s", COLD_GOALS["cache empty"]))
        if python:
            report.add(Figure("BERTopic cold", run_cold(python, "bertopic", vectors), "s"))


def _peer_works(peer: PeerProcess, chosen: LabelledSet) -> dict[str, Work]:
    arrays = {"vectors": peer.share("vectors", chosen.vectors)}
    texts = list(chosen.texts) or None
    return {
        "BERTopic": lambda: _of_peer(peer, "bertopic", arrays, texts=texts),
        "DBSCAN + umap-learn": lambda: _of_peer(peer, "dbscan_umap", arrays, eps=DBSCAN_EPS),
        "DBSCAN + umap-learn with a seed": lambda: _of_peer(
            peer, "dbscan_umap", arrays, eps=DBSCAN_EPS, seed=0
        ),
        "EVoC + umap-learn": lambda: _of_peer(peer, "evoc_umap", arrays),
    }


def _layout_work(chosen: LabelledSet) -> Work:
    """Return the layout from vectors: the graph is part of it, as it is part of umap-learn's."""
    threads = count_cores()

    def work() -> None:
        graph = build_graph(chosen.vectors, thread_count=threads)
        lay_out(graph, thread_count=threads)

    return lambda: _timed(work)


def _timed(work: Callable[[], object]) -> Sample:
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return Sample(time.perf_counter() - wall, time.process_time() - processor)


def _of_peer(peer: PeerProcess, task: str, arrays: Mapping[str, str], **options: object) -> Sample:
    result = peer.run(task, arrays, **options)
    return Sample(result.seconds, result.cpu_seconds)


def _take_turns(works: Mapping[str, Work], rounds: int) -> dict[str, list[Sample]]:
    """Return the samples of each work; one that fails in its first turn is left out."""
    able: dict[str, Work] = {}
    for name, work in works.items():
        try:
            print(f"  {name}, first: {work().seconds:.2f} s", flush=True)
            able[name] = work
        except PeerFailed as error:
            print(f"  {name} is left out: {str(error).strip().splitlines()[-1]}")
    samples: dict[str, list[Sample]] = {name: [] for name in able}
    for _ in range(rounds):
        for name, work in able.items():
            samples[name].append(work())
    return samples


def _report_ratios(
    report: Report, samples: Mapping[str, list[Sample]], own: str, goals: Mapping[str, float]
) -> None:
    """Add how many times faster Level is: ratios of medians, by the clock and by processor time."""
    for name, goal in goals.items():
        if name not in samples:
            continue
        pairs = list(zip(samples[name], samples[own], strict=True))
        value = _median_seconds(samples[name]) / _median_seconds(samples[own])
        ratios = tuple(theirs.seconds / ours.seconds for theirs, ours in pairs)
        report.add(Figure(f"{name}: times Level's", value, "times", goal, True, ratios))
        of_processors = [theirs.cpu_seconds / ours.cpu_seconds for theirs, ours in pairs]
        report.add(median_figure(f"{name}: times Level's, cpu", of_processors, "times"))


def _median_seconds(samples: list[Sample]) -> float:
    return statistics.median(sample.seconds for sample in samples)


def _report_parts(report: Report, chosen: LabelledSet) -> None:
    run = run_whole(chosen.vectors)
    report.add(
        Figure("of Level, the graph", run.graph_seconds, "s"),
        Figure("of Level, clusters and what describes them", run.clustering_seconds, "s"),
        Figure("of Level, the layout", run.layout_seconds, "s"),
        Figure("clusters of Level", run.clustering.terrain.cluster_count, ""),
    )


def _cold_seconds(vectors: Path, cache: Path) -> float:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    start = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.whole_run", str(vectors)]
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True)
    return time.perf_counter() - start
