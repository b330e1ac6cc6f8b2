"""Texts per second of the embedder, through gRPC, beside sentence-transformers' encode.

Both embed the same different texts with the same weights, all-MiniLM-L6-v2, on all cores of this
machine: short ones of banking77, and stretches of arXiv abstracts about as long as a news item's
lead in AG News. Level is a process of its own, as it is run, and is called by the gateway's client
in blocks of 4,096 rows; its cache of vectors is off. It runs twice: by default, and in fp32.
sentence-transformers is a process of the peers' environment: encode(batch_size=32,
normalize_embeddings=True). They take turns; each has embedded some texts before. Processor time is
that of all processes that take part, the client's too.

The share of the peak is what the matrix products of the model do a second, padding not counted,
against the most that this machine was measured to do in the same run, of the same kind: unsigned
by signed 8 bits for int8, else fp32. For all-MiniLM-L6-v2 a token needs 2 x 10.6 million
operations and 4 x 6 x 384 more for each token of its text: 21.4 million in a text of 16 tokens.
"""

import argparse
import statistics
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.embedder_process import EmbedderProcess, core_count, embed
from benchmarks.embedding_texts import (
    TextSet,
    add_text_options,
    long_texts,
    minilm_folder,
    short_texts,
)
from benchmarks.gemm_peaks import float32_peak, int8_peak
from benchmarks.peers import PeerProcess, add_peers_option, peer_python
from benchmarks.report import Figure, Report, make_parser, median_figure
from benchmarks.running import temporary_folder

DEFAULT, FLOAT32, PEER = "Level", "Level in fp32", "sentence-transformers"
GOAL = 5.0
BATCH_SIZE = 32
WARM_UP_TEXTS = 256


@dataclass(frozen=True)
class Sample:
    """Seconds of one embedding: by the clock, and of all processors together."""

    seconds: float
    cpu_seconds: float
    vectors: NDArray[np.float32] = field(repr=False)


Work = Callable[[list[str]], Sample]


def main() -> None:
    """Run the benchmark."""
    options = _read_options()
    report = Report("embedding_speed", vars(options))
    python = peer_python(options.peers)
    with temporary_folder() as folder, ExitStack() as stack:
        sets = [short_texts(options.rows, folder), long_texts(options.long_rows, folder)]
        works, precisions = _own_works(stack, folder)
        if python:
            peer = stack.enter_context(PeerProcess(python))
            print(", ".join(f"{name} {number}" for name, number in peer.versions().items()))
            works[PEER] = partial(_of_peer, peer)
        for work in works.values():
            work(sets[0].texts[:WARM_UP_TEXTS])
        peaks = _measure_peaks(report, precisions)
        for texts in sets:
            _measure(report, texts, works, peaks, options.rounds)
    report.finish(options.json)


def _read_options() -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_text_options(parser, rows=4096, long_rows=512)
    add_peers_option(parser)
    add = parser.add_argument
    add("--rounds", type=int, default=3, metavar="N", help="default: %(default)s")
    return parser.parse_args()


def _own_works(stack: ExitStack, folder: Path) -> tuple[dict[str, Work], dict[str, str]]:
    """Return Level's works, and the precision that each computes in."""
    works: dict[str, Work] = {}
    precisions: dict[str, str] = {}
    for name, precision in ((DEFAULT, "auto"), (FLOAT32, "float32")):
        process = EmbedderProcess(folder / precision, folder / "cache", precision=precision)
        stack.enter_context(process)
        done = embed([process], ["Which model are you?"])
        print(f"{name}: {done.model_summary}")
        works[name], precisions[name] = partial(_of_level, process), done.model.precision
    return works, precisions


def _of_level(process: EmbedderProcess, texts: list[str]) -> Sample:
    before = process.sample().cpu_seconds
    done = embed([process], texts)
    of_process = process.sample().cpu_seconds - before
    return Sample(done.seconds, of_process + done.client_seconds, done.vectors)


def _of_peer(peer: PeerProcess, texts: list[str]) -> Sample:
    options = {"folder": str(minilm_folder()), "texts": texts, "batch_size": BATCH_SIZE}
    done = peer.run("sentence_transformers", {}, **options)
    return Sample(done.seconds, done.cpu_seconds, done.arrays["vectors"])


def _measure_peaks(report: Report, precisions: Mapping[str, str]) -> dict[str, float]:
    """Return the peak that each work is held against, in operations a second."""
    threads = core_count()
    fp32, int8 = float32_peak(threads), int8_peak(threads)
    report.add(
        Figure(f"peak of matrix products, fp32, {threads} threads", fp32 / 1e9, "GOP/s"),
        Figure(f"peak of matrix products, int8, {threads} threads", int8 / 1e9, "GOP/s"),
    )
    kinds = {**precisions, PEER: "float32"}
    return {name: int8 if kind == "int8" else fp32 for name, kind in kinds.items()}


def _measure(
    report: Report,
    texts: TextSet,
    works: Mapping[str, Work],
    peaks: Mapping[str, float],
    rounds: int,
) -> None:
    print(f"\n{texts.summary}")
    samples: dict[str, list[Sample]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            samples[name].append(work(texts.texts))
    count, tokens = len(texts.texts), texts.token_counts.sum()
    for name, taken in samples.items():
        rates = [count / sample.seconds for sample in taken]
        seconds = statistics.median(sample.seconds for sample in taken)
        per_cpu = [count / sample.cpu_seconds for sample in taken]
        report.add(
            median_figure(name, rates, "texts/s"),
            median_figure(f"{name}, of processor time", per_cpu, "texts/cpu-s"),
            Figure(f"{name}, tokens", tokens / seconds, "tokens/s"),
            Figure(f"{name}, share of its peak", 100 * texts.flop / seconds / peaks[name], "%"),
        )
    for name in (DEFAULT, FLOAT32) if PEER in samples else ():
        _compare(report, name, samples, GOAL if name == DEFAULT else None)


def _compare(
    report: Report, name: str, samples: Mapping[str, list[Sample]], goal: float | None
) -> None:
    """Add how many times faster Level is, and how near its vectors are to the peer's."""
    pairs = list(zip(samples[PEER], samples[name], strict=True))
    by_clock = [theirs.seconds / ours.seconds for theirs, ours in pairs]
    by_cpu = [theirs.cpu_seconds / ours.cpu_seconds for theirs, ours in pairs]
    theirs, ours = pairs[-1]
    cosines = (theirs.vectors * ours.vectors).sum(axis=1)
    report.add(
        median_figure(f"{name}: times faster", by_clock, "times", goal, more_is_better=True),
        median_figure(f"{name}: times faster, processor time", by_cpu, "times"),
        Figure(f"{name}: mean cosine to the peer's vectors", float(cosines.mean()), ""),
    )


if __name__ == "__main__":
    main()
