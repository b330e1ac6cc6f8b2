"""What a model's answers on the held-out part come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_ROWS = 5
"""A class or cluster with fewer held-out rows is not named the worst, where another has as many."""


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers of one model, counted.

    Attributes
    ----------
    confusion : ndarray of shape (n_classes, n_classes), int64
        Held-out rows by true class (rows) and answer (columns).
    cluster_hits, cluster_rows : ndarray of shape (n_clusters,), int64
        Right answers and held-out rows of each cluster.
    """

    confusion: NDArray[np.int64] = field(repr=False)
    cluster_hits: NDArray[np.int64] = field(repr=False)
    cluster_rows: NDArray[np.int64] = field(repr=False)

    def __add__(self, other: Answers) -> Answers:
        """Return the counts of both."""
        return Answers(
            self.confusion + other.confusion,
            self.cluster_hits + other.cluster_hits,
            self.cluster_rows + other.cluster_rows,
        )


@dataclass(frozen=True)
class Scores:
    """The figures of one model on one held-out part, each from 0 to 1, more is better.

    Attributes
    ----------
    accuracy : float
        Share of right answers, the classes as frequent as they are in the data.
    macro_accuracy : float
        Mean over the held-out classes of the share of their rows that are answered rightly: the
        accuracy if all classes were equally frequent.
    macro_f1 : float
        Mean over these classes of F1, the classes as frequent as they are.
    balanced_macro_f1 : float
        The same if all classes were equally frequent.
    worst_class, worst_cluster : float
        The least accuracy of a class, and of a cluster, with at least 5 held-out rows; of all
        where none has as many. `worst_cluster` is the accuracy where there is no cluster.
    """

    accuracy: float
    macro_accuracy: float
    macro_f1: float
    balanced_macro_f1: float
    worst_class: float
    worst_cluster: float


def count_answers(
    truth: NDArray[np.int64],
    answers: NDArray[np.int64],
    clusters: NDArray[np.int64],
    class_count: int,
    cluster_count: int,
) -> Answers:
    """Return the counts of answers; clusters are 0..cluster_count-1, or -1."""
    pairs = np.bincount(truth * class_count + answers, minlength=class_count**2)
    inside = clusters >= 0
    hit = inside & (truth == answers)
    return Answers(
        pairs.reshape(class_count, class_count).astype(np.int64),
        np.bincount(clusters[hit], minlength=cluster_count).astype(np.int64),
        np.bincount(clusters[inside], minlength=cluster_count).astype(np.int64),
    )


def score(answers: Answers) -> Scores:
    """Return the figures of answers to at least one row."""
    confusion = answers.confusion.astype(np.float64)
    rows = confusion.sum(axis=1)
    held_out = rows > 0
    hits = np.diagonal(confusion)
    accuracy = float(hits.sum() / rows.sum())
    balanced = confusion / np.maximum(rows, 1)[:, None]
    inside = answers.cluster_rows > 0
    worst_cluster = accuracy
    if inside.any():
        worst_cluster = _least(answers.cluster_hits[inside], answers.cluster_rows[inside])
    return Scores(
        accuracy=accuracy,
        macro_accuracy=float(np.mean(hits[held_out] / rows[held_out])),
        macro_f1=_macro_f1(confusion, held_out),
        balanced_macro_f1=_macro_f1(balanced, held_out),
        worst_class=_least(hits[held_out], rows[held_out]),
        worst_cluster=worst_cluster,
    )


def _macro_f1(confusion: NDArray[np.float64], held_out: NDArray[np.bool_]) -> float:
    # 2 TP / (true + answered): never 0 / 0 for a class with held-out rows.
    both = confusion.sum(axis=1) + confusion.sum(axis=0)
    return float(np.mean(2 * np.diagonal(confusion)[held_out] / both[held_out]))


def _least(hits: NDArray[Any], rows: NDArray[Any]) -> float:
    shares = hits / rows
    enough = rows >= LEAST_ROWS
    return float(np.min(shares[enough] if enough.any() else shares))
