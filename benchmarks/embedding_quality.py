"""What the default precision costs: vectors, neighbours and clusters beside those in fp32.

Each set is embedded twice, by the default model as it is loaded and by the same model in fp32. The
cosine is that of a text's two vectors. The accuracy is that of the class most frequent among the 10
nearest other rows by cosine, the agreement the adjusted mutual information of k-means, told the
true number of clusters, with the classes: the mean over seeds, the same for both.

None of the texts that the ranges of the 8 bits were fitted to are in any set.
"""

import argparse
import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_mutual_info_score

from benchmarks.input_files import find_file
from benchmarks.labelled import LabelledSet, add_set_options, chosen_sets
from benchmarks.report import Figure, Report, make_parser
from embedder_svc.embedding import embed_texts
from embedder_svc.loading import load_model
from embedder_svc.model import EmbeddingModel, Precision

LEAST_COSINE, LEAST_PERCENTILE = 0.99, 0.97
LARGEST_ACCURACY_LOSS, LARGEST_AGREEMENT_LOSS = 0.005, 0.015
NEIGHBOURS = 10
ROWS_AT_ONCE = 1024

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Structure:
    """What is found in vectors of known classes: both from 0 to 1."""

    accuracy: float
    agreement: float


def main() -> None:
    """Run the benchmark."""
    options = _read_options()
    report = Report("embedding_quality", vars(options))
    default, exact = load_model(), load_model(precision=Precision.FLOAT32)
    print(f"{default.info.choice_reason}; {default.info.instruction_set}")
    for chosen in _labelled(options):
        vectors = _compare(report, chosen.name, list(chosen.texts), default, exact)
        _compare_structure(report, chosen, *vectors, seeds=options.seeds)
    for name, column in options.texts:
        texts = _read_texts(find_file(name), column)
        _compare(report, Path(name).stem, _draw(texts, options.rows), default, exact)
    report.finish(options.json)


def _read_options() -> argparse.Namespace:
    parser = make_parser(__doc__)
    add_set_options(parser)
    add = parser.add_argument
    add("--rows", type=int, default=4000, help="most rows of a set (default: %(default)s)")
    add("--seeds", type=int, default=5, help="of k-means (default: %(default)s)")
    add(
        "--texts",
        nargs=2,
        action="append",
        default=[],
        metavar=("FILE", "COLUMN"),
        help="a CSV or JSON lines file without classes, of which only the cosine is measured",
    )
    return parser.parse_args()


def _labelled(options: argparse.Namespace) -> Iterator[LabelledSet]:
    if options.texts and not (options.files or options.data):
        return
    for chosen in chosen_sets(options):
        if not chosen.texts:
            raise SystemExit("Vectors alone cannot be embedded again: name tables of texts.")
        yield chosen.draw(options.rows)


def _compare(
    report: Report, name: str, texts: list[str], default: EmbeddingModel, exact: EmbeddingModel
) -> tuple[Vectors, Vectors]:
    """Add how like the two vectors of each text are, and return both."""
    found, expected = (embed_texts(model, texts).vectors for model in (default, exact))
    cosines = np.einsum("td,td->t", found, expected)
    print(f"\n{name}, {len(texts):,} texts of {np.mean([len(t) for t in texts]):.0f} characters")
    low = float(np.percentile(cosines, 1))
    report.add(
        Figure(f"{name}, mean cosine", float(cosines.mean()), "", LEAST_COSINE, True),
        Figure(f"{name}, 1st percentile", low, "", LEAST_PERCENTILE, True),
    )
    return found, expected


def _compare_structure(
    report: Report, chosen: LabelledSet, found: Vectors, expected: Vectors, *, seeds: int
) -> None:
    own, exact = (measure_structure(each, chosen.classes, seeds) for each in (found, expected))
    loss = exact.accuracy - own.accuracy
    report.add(
        Figure(f"{chosen.name}, kNN accuracy", own.accuracy, ""),
        Figure(f"{chosen.name}, less than in fp32 by", loss, "", LARGEST_ACCURACY_LOSS),
    )
    loss = exact.agreement - own.agreement
    report.add(
        Figure(f"{chosen.name}, k-means AMI", own.agreement, ""),
        Figure(f"{chosen.name}, less than in fp32 by", loss, "", LARGEST_AGREEMENT_LOSS),
    )


def measure_structure(vectors: Vectors, classes: NDArray[np.int32], seeds: int) -> Structure:
    """Return how well neighbours and k-means find the classes again.

    Parameters
    ----------
    vectors : ndarray of shape (n_rows, n_dimensions), float32
        Of unit length, more than 10 of them.
    classes : ndarray of shape (n_rows,), int32
        From 0.
    seeds
        Runs of k-means, of which the mean is taken.
    """
    class_count = int(classes.max()) + 1
    agreements = []
    for seed in range(seeds):
        labels = KMeans(class_count, n_init=1, random_state=seed).fit_predict(vectors)
        agreements.append(adjusted_mutual_info_score(classes, labels))
    voted = _vote(vectors, classes, class_count)
    return Structure(float((voted == classes).mean()), float(np.mean(agreements)))


def _vote(vectors: Vectors, classes: NDArray[np.int32], class_count: int) -> NDArray[np.intp]:
    """Return the most frequent class among each row's nearest other rows."""
    voted = np.empty(len(vectors), np.intp)
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        rows = np.arange(start, min(start + ROWS_AT_ONCE, len(vectors)))
        likeness = vectors[rows] @ vectors.T
        likeness[np.arange(len(rows)), rows] = -np.inf
        nearest = np.argpartition(-likeness, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        votes = np.zeros((len(rows), class_count), np.int32)
        np.add.at(votes, (np.arange(len(rows))[:, None], classes[nearest]), 1)
        voted[rows] = votes.argmax(axis=1)
    return voted


def _read_texts(path: Path, column: str) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        lines = map(json.loads, file) if path.suffix == ".jsonl" else csv.DictReader(file)
        texts = [row.get(column) or "" for row in lines]
    return [text for text in texts if text]


def _draw(texts: list[str], count: int) -> list[str]:
    chosen = np.random.default_rng(0).permutation(len(texts))[:count]
    return [texts[row] for row in chosen]


if __name__ == "__main__":
    main()
