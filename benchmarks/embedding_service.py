"""What the embedder costs besides its model: starting, memory, sending, asking again, replicas.

All with all-MiniLM-L6-v2 as it is by default on a CPU, as processes of their own on Unix sockets,
called by the gateway's client as its worker does. Texts are different ones of banking77.

start: from a new process to SERVING, the quantised model being there already; its memory then,
before it was asked for anything. Resident memory is the most that there was so far; PSS counts a
page that it shares with other processes, of which this benchmark is one, in part.

again: rows that an embedder with a cache of vectors has seen, in another order, against the first
time; each round has an empty cache and a new process. Then the seconds of the same call of a
service that has no model and answers with vectors that are there: what texts and vectors take on
their way, client and server together, as a share of the first time.

replicas: two processes with half the cores each, which the client spreads calls over, against one
with all cores, in turns; small blocks, so that there are several for each.
"""

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.embedder_process import (
    BLOCK_ROWS,
    EmbedderProcess,
    ServiceProcess,
    core_count,
    embed,
)
from benchmarks.embedding_texts import add_text_options, short_texts
from benchmarks.report import Figure, Report, make_parser, median_figure
from benchmarks.running import temporary_folder

PARTS = ("start", "again", "replicas")
START_GOAL_SECONDS = 2.0
START_GOAL_MB = 250.0
TRANSFER_GOAL_PERCENT = 2.0
AGAIN_GOAL = 50.0
REPLICAS_GOAL = 1.1
REPLICA_BLOCK_ROWS = 512
CACHE_MIB = 512
WARM_UP_TEXTS = 256


def main() -> None:
    """Run the benchmark."""
    options = _read_options()
    report = Report("embedding_service", vars(options))
    with temporary_folder() as folder:
        texts = short_texts(options.rows, folder)
        print(texts.summary)
        with EmbedderProcess(folder / "first", folder / "cache") as process:
            report.add(Figure("first start, the model is made", process.start_seconds, "s"))
            print(f"  {embed([process], texts.texts[:WARM_UP_TEXTS]).model_summary}")
        if "start" in options.parts:
            measure_start(report, folder, options.starts)
        if "again" in options.parts:
            measure_again(report, folder, texts.texts, options.rounds)
        if "replicas" in options.parts:
            measure_replicas(report, folder, texts.texts, options.rounds)
    report.finish(options.json)


def _read_options() -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_text_options(parser, rows=4096, long_rows=0)
    add = parser.add_argument
    add("--parts", nargs="+", choices=PARTS, default=PARTS, help="default: all three")
    add("--starts", type=int, default=7, metavar="N", help="default: %(default)s")
    add("--rounds", type=int, default=3, metavar="N", help="default: %(default)s")
    return parser.parse_args()


def measure_start(report: Report, folder: Path, count: int) -> None:
    """Add the seconds of starts, and the memory after them."""
    seconds, processor, resident, shared = [], [], [], []
    for _ in range(count):
        with EmbedderProcess(folder / "start", folder / "cache") as process:
            sample = process.sample()
        seconds.append(process.start_seconds)
        processor.append(sample.cpu_seconds)
        resident.append(sample.peak_rss_bytes / 1e6)
        shared.append(sample.pss_bytes / 1e6)
    report.add(
        median_figure("start to SERVING", seconds, "s", START_GOAL_SECONDS),
        median_figure("start to SERVING, processor time", processor, "s"),
        median_figure("memory before the first batch, RSS", resident, "MB", START_GOAL_MB),
        median_figure("memory before the first batch, PSS", shared, "MB"),
    )


def measure_again(report: Report, folder: Path, texts: list[str], rounds: int) -> None:
    """Add how much faster known rows are, and what sending takes of the time of new ones."""
    first, again, sending = [], [], []
    order = np.random.default_rng(0).permutation(len(texts))
    shuffled = [texts[row] for row in order]
    dimensions = "384"
    with ServiceProcess(folder / "ready", ["benchmarks.ready_vectors", dimensions], {}) as ready:
        embed([ready], texts)
        for number in range(rounds):
            cache = _cache_with_model(folder, number)
            with EmbedderProcess(folder / "again", cache, cache_mib=CACHE_MIB) as process:
                new, known = embed([process], texts), embed([process], shuffled)
            if known.cached_count != len(texts):
                raise SystemExit(f"only {known.cached_count} of {len(texts)} rows were known")
            if not np.array_equal(known.vectors, new.vectors[order]):
                raise SystemExit("vectors from the cache are other ones")
            first.append(new.seconds)
            again.append(known.seconds)
            sending.append(embed([ready], texts).seconds)
    _report_again(report, len(texts), first, again, sending)


def _cache_with_model(folder: Path, number: int) -> Path:
    """Return a folder with the model that was made, and no vectors."""
    cache = folder / f"cache-{number}"
    cache.mkdir()
    for made in (folder / "cache").iterdir():
        if made.name != "vectors":
            (cache / made.name).symlink_to(made)
    return cache


def _report_again(
    report: Report, count: int, first: list[float], again: list[float], sending: list[float]
) -> None:
    per_row = {"new": first, "known": again, "only sent": sending}
    for name, taken in per_row.items():
        microseconds = [1e6 * seconds / count for seconds in taken]
        report.add(median_figure(f"a row, {name}", microseconds, "us"))
    times = [new / known for new, known in zip(first, again, strict=True)]
    shares = [100 * sent / new for sent, new in zip(sending, first, strict=True)]
    report.add(
        median_figure("known rows: times faster", times, "times", AGAIN_GOAL, more_is_better=True),
        median_figure("sending, of the time of new rows", shares, "%", TRANSFER_GOAL_PERCENT),
    )


def measure_replicas(report: Report, folder: Path, texts: list[str], rounds: int) -> None:
    """Add the texts per second of one process with all cores, and of two with half of them."""
    cores = core_count()
    cache = folder / "cache"
    half = max(1, cores // 2)
    with (
        EmbedderProcess(folder / "one", cache, threads=cores) as one,
        EmbedderProcess(folder / "left", cache, threads=half) as left,
        EmbedderProcess(folder / "right", cache, threads=half) as right,
    ):
        arrangements = {
            f"one replica of {cores} threads": [one],
            f"two replicas of {half} threads": [left, right],
        }
        for processes in arrangements.values():
            _rate(processes, texts[:WARM_UP_TEXTS])
        rates: dict[str, list[float]] = {name: [] for name in arrangements}
        for _ in range(rounds):
            for name, processes in arrangements.items():
                rates[name].append(_rate(processes, texts))
    for name, taken in rates.items():
        report.add(median_figure(name, taken, "texts/s"))
    single, double = rates.values()
    value = statistics.median(double) / statistics.median(single)
    ratios = tuple(two / one for two, one in zip(double, single, strict=True))
    report.add(Figure("two replicas: times faster", value, "times", REPLICAS_GOAL, True, ratios))


def _rate(processes: Sequence[ServiceProcess], texts: list[str]) -> float:
    rows = min(REPLICA_BLOCK_ROWS, BLOCK_ROWS)
    return len(texts) / embed(processes, texts, rows).seconds


if __name__ == "__main__":
    main()
