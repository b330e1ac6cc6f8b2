"""Clusters beside other projects: how fast, and how well they agree with classes that people gave.

Speed: vectors of the first set, as many as --rows, to clusters, statistics, exemplars and a
layout: warm, in turns; then from cold processes. Quality: every set, the classes hidden, one
default setting for all of them. The peers run in an environment of their own.
"""

import argparse
from contextlib import nullcontext

from benchmarks.clustering_quality import Agreement, judge, measure_quality
from benchmarks.clustering_speed import measure_cold, measure_warm
from benchmarks.labelled import LabelledSet, add_set_options, chosen_sets
from benchmarks.peers import PeerProcess, add_peers_option, peer_python
from benchmarks.report import Report, make_parser

PARTS = ("warm", "cold", "quality")


def main() -> None:
    """Run the benchmark."""
    options = _read_options()
    report = Report("clustering", vars(options))
    sets = list(chosen_sets(options))
    python = peer_python(options.peers)
    with PeerProcess(python) if python else nullcontext() as peer:
        if peer:
            versions = peer.versions()
            report.options["peer_versions"] = versions
            print("peers: " + ", ".join(f"{name} {number}" for name, number in versions.items()))
        first = sets[0].draw(options.rows)
        if "warm" in options.parts:
            measure_warm(report, peer, first, rounds=options.rounds, has_bf16=options.bf16)
        if "quality" in options.parts:
            _measure_quality(report, peer, sets, options.seeds)
    if "cold" in options.parts:
        measure_cold(report, python, first, options.rounds)
    report.finish(options.json)


def _read_options() -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_set_options(parser)
    add_peers_option(parser)
    add = parser.add_argument
    add("--rows", type=int, default=10_000, help="for speed (default: %(default)s)")
    add("--rounds", type=int, default=5, metavar="N", help="for speed (default: %(default)s)")
    add("--seeds", type=int, default=3, metavar="N", help="for quality (default: %(default)s)")
    add("--parts", nargs="+", choices=PARTS, default=PARTS, help="default: all three")
    add("--bf16", action="store_true", help="judge speed by the goals for a matrix product in bf16")
    return parser.parse_args()


def _measure_quality(
    report: Report, peer: PeerProcess | None, sets: list[LabelledSet], seeds: int
) -> None:
    found: dict[str, dict[str, Agreement]] = {}
    for chosen in sets:
        found[chosen.name] = measure_quality(report, peer, chosen, seeds=seeds)
    judge(report, found)


if __name__ == "__main__":
    main()
