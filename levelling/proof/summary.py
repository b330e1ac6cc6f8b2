"""From what the seeds came to, to the parts of a proof."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from levelling.proof.intervals import compare
from levelling.proof.models import MODELS
from levelling.proof.result import (
    AlphaResult,
    ConfusedPair,
    Confusion,
    ModelResult,
    PartResult,
)
from levelling.proof.scores import LEAST_ROWS, Answers, Scores, score
from levelling.proof.trials import Trial

MAX_PARTS = 200
CONFUSED_PAIRS = 20


def compare_models(trials: Sequence[Trial], names: Sequence[str]) -> tuple[ModelResult, ...]:
    """Return every figure of every model, before against after."""
    share = test_share(trials)
    results = []
    for name in names:
        before = [score(trial.before[name]) for trial in trials]
        after = [score(trial.after[name]) for trial in trials]
        metrics = {
            part.name: compare(_values(before, part.name), _values(after, part.name), share)
            for part in fields(Scores)
        }
        whole = [score(trial.everything) for trial in trials if trial.everything is not None]
        everything = _mean(whole) if whole and name == names[0] else None
        results.append(ModelResult(name, MODELS[name].title, metrics, everything))
    return tuple(results)


def draw_curve(trials: Sequence[Trial], model: str) -> tuple[AlphaResult, ...]:
    """Return the points of the curve, by rising alpha."""
    before = [score(trial.before[model]).macro_accuracy for trial in trials]
    points = []
    for index, first in enumerate(trials[0].curve):
        same = [trial.curve[index] for trial in trials]
        scores = [score(point.answers) for point in same]
        gain = compare(before, _values(scores, "macro_accuracy"), test_share(trials))
        flatness = float(np.mean([point.flatness for point in same]))
        sample_share = float(np.mean([point.sample_share for point in same]))
        points.append(AlphaResult(first.alpha, flatness, sample_share, _mean(scores), gain))
    return tuple(sorted(points, key=lambda point: point.alpha))


def add_up(trials: Sequence[Trial], model: str) -> tuple[Answers, Answers]:
    """Return the answers of all seeds together, before and after."""
    return (
        reduce(Answers.__add__, (trial.before[model] for trial in trials)),
        reduce(Answers.__add__, (trial.after[model] for trial in trials)),
    )


def class_results(
    before: Answers, after: Answers, names: Sequence[str], rows: NDArray[np.int64]
) -> tuple[PartResult, ...]:
    """Return the classes with held-out rows, worst before levelling first."""
    held_out = before.confusion.sum(axis=1)
    hits = (np.diagonal(before.confusion), np.diagonal(after.confusion))
    return _parts(lambda index: names[index], rows, held_out, *hits)


def cluster_results(
    before: Answers, after: Answers, rows: NDArray[np.int64], ids: NDArray[np.int64]
) -> tuple[PartResult, ...]:
    """Return the clusters with held-out rows, worst before levelling first."""
    hits = (before.cluster_hits, after.cluster_hits)
    return _parts(lambda index: int(ids[index]), rows, before.cluster_rows, *hits)


def worst(parts: Sequence[PartResult], field: str) -> PartResult | None:
    """Return the part with the least share of right answers; None where all are too small."""
    enough = [part for part in parts if part.test_rows >= LEAST_ROWS]
    return min(enough, key=lambda part: float(getattr(part, field)), default=None)


def confused_pairs(
    before: Answers, after: Answers, names: Sequence[str]
) -> tuple[ConfusedPair, ...]:
    """Return the most frequent mistakes, most frequent first."""
    both = before.confusion + after.confusion
    np.fill_diagonal(both, 0)
    order = np.argsort(-both, axis=None, kind="stable")[:CONFUSED_PAIRS]
    pairs = [np.unravel_index(place, both.shape) for place in order if both.flat[place]]
    return tuple(
        ConfusedPair(
            names[int(row)],
            names[int(column)],
            int(before.confusion[row, column]),
            int(after.confusion[row, column]),
        )
        for row, column in pairs
    )


def whole_confusion(before: Answers, after: Answers, names: Sequence[str]) -> Confusion | None:
    """Return both matrices; None with more classes than anybody reads."""
    if len(names) > MAX_PARTS:
        return None
    matrices = (
        tuple(tuple(row) for row in answers.confusion.tolist()) for answers in (before, after)
    )
    return Confusion(tuple(names), *matrices)


def test_share(trials: Sequence[Trial]) -> float:
    """Return the held-out part of the rows that were split, 0 to 1."""
    held_out = sum(trial.test_rows for trial in trials)
    return held_out / (held_out + sum(trial.training_rows for trial in trials))


def _parts(
    name: Callable[[int], str | int],
    rows: NDArray[np.int64],
    held_out: NDArray[np.int64],
    hits_before: NDArray[np.int64],
    hits_after: NDArray[np.int64],
) -> tuple[PartResult, ...]:
    there = np.flatnonzero(held_out)
    shares = hits_before[there] / held_out[there]
    worst_first = there[np.argsort(shares, kind="stable")]
    return tuple(
        PartResult(
            name(index),
            int(rows[index]),
            int(held_out[index]),
            float(hits_before[index] / held_out[index]),
            float(hits_after[index] / held_out[index]),
        )
        for index in worst_first.tolist()
    )


def _mean(scores: Sequence[Scores]) -> Scores:
    return Scores(*(float(np.mean(_values(scores, part.name))) for part in fields(Scores)))


def _values(scores: Sequence[Scores], name: str) -> list[float]:
    return [float(getattr(one, name)) for one in scores]
