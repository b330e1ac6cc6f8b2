"""What must not change the clusters: the seed's second use, threads, the rows' order, a lost tenth.

Exact equality for the first two; for the others the ARI of the partitions with the noise counted in
the nearest clusters, on the rows that both have.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from benchmarks.labelled import LabelledSet, add_set_options, chosen_sets
from benchmarks.report import Figure, Report, make_parser
from benchmarks.whole_run import WholeRun, run_whole

SHUFFLED_GOAL = 0.95
DROPPED_GOAL = 0.85
DROPPED_SHARE = 0.1


def main() -> None:
    """Run the benchmark."""
    parser = make_parser(__doc__)
    add_set_options(parser)
    parser.add_argument("--draws", type=int, default=3, metavar="N", help="default: %(default)s")
    options = parser.parse_args()
    report = Report("robustness", vars(options))
    for chosen in chosen_sets(options):
        _measure(report, chosen, options.draws)
    report.finish(options.json)


def _measure(report: Report, chosen: LabelledSet, draws: int) -> None:
    print(f"\n{chosen.name}: {len(chosen.vectors):,} rows")
    first = run_whole(chosen.vectors, thread_count=2)
    again = run_whole(chosen.vectors, thread_count=2)
    single = run_whole(chosen.vectors, thread_count=1)
    for name, other in (("the same seed again", again), ("one thread and two", single)):
        report.add(Figure(f"{chosen.name}, {name}", float(_equal(first, other)), "", 1.0, True))
    for name, goal, kept in (
        ("shuffled", SHUFFLED_GOAL, len(chosen.vectors)),
        ("without a tenth", DROPPED_GOAL, round((1 - DROPPED_SHARE) * len(chosen.vectors))),
    ):
        found = [_agreement(chosen, first, seed, kept) for seed in range(draws)]
        raw, nearest = (tuple(values) for values in zip(*found, strict=True))
        least = Figure(f"{chosen.name}, {name}, least", min(nearest), "", goal, True, nearest)
        report.add(least, Figure(f"{chosen.name}, {name}, raw", min(raw), "", samples=raw))


def _equal(one: WholeRun, other: WholeRun) -> bool:
    """Return True where every label, strength and position is the same, to the last bit."""
    if len(one.clustering.layers) != len(other.clustering.layers):
        return False
    layers = zip(one.clustering.layers, other.clustering.layers, strict=True)
    return np.array_equal(one.positions, other.positions) and all(
        np.array_equal(mine.labels, yours.labels)
        and np.array_equal(mine.strengths, yours.strengths)
        for mine, yours in layers
    )


def _agreement(chosen: LabelledSet, first: WholeRun, seed: int, kept: int) -> tuple[float, float]:
    """Return the ARI with the first run, raw and with noise in the nearest clusters."""
    rows: NDArray[np.int64] = np.random.default_rng(seed).permutation(len(chosen.vectors))[:kept]
    other = run_whole(chosen.vectors[rows]).clustering.terrain
    return (
        adjusted_rand_score(first.clustering.terrain.labels[rows], other.labels),
        adjusted_rand_score(first.clustering.terrain.nearest[rows], other.nearest),
    )


if __name__ == "__main__":
    main()
