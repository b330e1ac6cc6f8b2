"""New rows assigned to a clustering, beside clustering all rows anew.

Nine tenths of a set are clustered, the last tenth is assigned to these clusters; then all rows are
clustered, and on the tenth the two are compared. The most that can be expected is how well the two
clusterings agree on the nine tenths. Nearest-centroid assignment is measured in the same run. A set
may come without classes: --vectors without --labels.
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from benchmarks.labelled import LabelledSet, add_set_options, chosen_sets
from benchmarks.report import Figure, Report, make_parser, median_figure
from cluster_svc.assign import AssignModel, assign_rows
from cluster_svc.clusters import Clustering, run_clustering
from cluster_svc.settings import count_cores
from cluster_svc.vectors import normalize_rows

NEW_SHARE = 0.1

Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Agreement:
    """How one assignment of the new rows agrees with clustering all rows, noise in the nearest.

    Attributes
    ----------
    ari, ami : float
    matched : float
        Share of rows in corresponding clusters, these matched one to one.
    class_ami : float
        Agreement with the classes of people; 0 without classes.
    """

    ari: float
    ami: float
    matched: float
    class_ami: float


@dataclass(frozen=True)
class Draw:
    """What one split of a set gave."""

    limit: Agreement
    landmarks: Agreement
    centroid: Agreement
    anew: Agreement
    noise: tuple[float, float]
    noise_agreement: float
    rows_per_second: float
    landmark_count: int


def main() -> None:
    """Run the benchmark."""
    parser = make_parser(__doc__)
    add_set_options(parser)
    add = parser.add_argument
    add("--algorithm", default="auto", help="default: %(default)s")
    add("--draws", type=int, default=3, metavar="N", help="default: %(default)s")
    add("--rows", type=int, default=0, metavar="N", help="of each set (default: all)")
    options = parser.parse_args()
    report = Report("assign", vars(options))
    for chosen in _sets(options):
        part = chosen.draw(options.rows) if options.rows else chosen
        _measure(report, part, options.algorithm, options.draws)
    report.finish(options.json)


def _sets(options: argparse.Namespace) -> Iterator[LabelledSet]:
    if options.labels or not options.vectors:
        yield from chosen_sets(options)
        return
    for path in options.vectors:
        vectors = np.ascontiguousarray(np.load(path), dtype=np.float32)
        yield LabelledSet(path.stem, vectors, np.zeros(len(vectors), np.int32))


def _measure(report: Report, chosen: LabelledSet, algorithm: str, draws: int) -> None:
    print(f"\n{chosen.name}: {len(chosen.vectors):,} rows")
    found = [_draw(chosen, algorithm, seed) for seed in range(draws)]
    print(f"  {'':<34} {'ARI':>6} {'AMI':>6} {'matched':>8} {'AMI to classes':>15}")
    ways = {
        "the clusterings, on the nine tenths": [draw.limit for draw in found],
        "assigned by landmarks": [draw.landmarks for draw in found],
        "assigned to the nearest centroid": [draw.centroid for draw in found],
        "clustered anew": [draw.anew for draw in found],
    }
    for name, agreements in ways.items():
        _add_agreement(report, f"{chosen.name}, {name}", name, agreements)
    missing = [draw.limit.ari - draw.landmarks.ari for draw in found]
    gain = [draw.landmarks.ari - draw.centroid.ari for draw in found]
    report.add(
        median_figure("ARI below that of the clusterings", missing, ""),
        median_figure("ARI above the nearest centroid's", gain, "", 0.0, more_is_better=True),
        median_figure("noise, assigned", [draw.noise[0] for draw in found], ""),
        median_figure("noise, clustered anew", [draw.noise[1] for draw in found], ""),
        median_figure("rows alike noise or not", [draw.noise_agreement for draw in found], ""),
        median_figure("landmarks", [draw.landmark_count for draw in found], ""),
        median_figure("assigned", [draw.rows_per_second for draw in found], "rows/s"),
    )


def _add_agreement(report: Report, title: str, name: str, agreements: list[Agreement]) -> None:
    """Print one line, and keep its figures; medians over the draws."""
    medians = {
        part.name: statistics.median(getattr(each, part.name) for each in agreements)
        for part in fields(Agreement)
    }
    ari, ami, matched, classes = medians.values()
    of_classes = f"{classes:15.3f}" if classes else f"{'-':>15}"
    print(f"  {name:<34} {ari:6.3f} {ami:6.3f} {matched:8.3f} {of_classes}")
    report.figures.extend(Figure(f"{title}, {part}", value, "") for part, value in medians.items())


def _draw(chosen: LabelledSet, algorithm: str, seed: int) -> Draw:
    order = np.random.default_rng(seed).permutation(len(chosen.vectors))
    new = np.sort(order[: round(NEW_SHARE * len(order))])
    old = np.sort(order[len(new) :])
    threads = count_cores()
    part = run_clustering(chosen.vectors[old], algorithm, seed=seed, thread_count=threads)
    anew = run_clustering(chosen.vectors, algorithm, seed=seed, thread_count=threads)
    model = _model(chosen.vectors[old], part)
    began = time.perf_counter()
    assigned = assign_rows(model, chosen.vectors[new], thread_count=threads)
    seconds = time.perf_counter() - began
    truth, classes = anew.terrain.nearest, chosen.classes
    similarities = normalize_rows(chosen.vectors[new]) @ part.terrain.stats.centroids.T
    nearest = similarities.argmax(axis=1).astype(np.int32)
    noise = assigned.labels < 0, anew.terrain.labels[new] < 0
    return Draw(
        limit=_agreement(part.terrain.nearest, truth[old], classes[old]),
        landmarks=_agreement(assigned.nearest, truth[new], classes[new]),
        centroid=_agreement(nearest, truth[new], classes[new]),
        anew=_agreement(truth[new], truth[new], classes[new]),
        noise=(float(noise[0].mean()), float(noise[1].mean())),
        noise_agreement=float((noise[0] == noise[1]).mean()),
        rows_per_second=len(new) / seconds,
        landmark_count=len(model.labels),
    )


def _model(vectors: NDArray[np.float32], clustering: Clustering) -> AssignModel:
    rows = clustering.landmarks.row_ids
    labels = clustering.terrain.labels[rows]
    return AssignModel(vectors[rows], labels, clustering.landmarks.reaches)


def _agreement(labels: Labels, truth: Labels, classes: Labels) -> Agreement:
    return Agreement(
        adjusted_rand_score(labels, truth),
        adjusted_mutual_info_score(labels, truth),
        _matched(labels, truth),
        adjusted_mutual_info_score(labels, classes) if classes.any() else 0.0,
    )


def _matched(labels: Labels, truth: Labels) -> float:
    """Return the share of rows in corresponding clusters, at the best one-to-one matching."""
    table = np.zeros((int(labels.max()) + 2, int(truth.max()) + 2))
    np.add.at(table, (labels, truth), 1)
    rows, columns = linear_sum_assignment(-table)
    return float(table[rows, columns].sum() / len(labels))


if __name__ == "__main__":
    main()
