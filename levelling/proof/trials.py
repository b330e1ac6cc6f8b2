"""One seed of a proof: split, level the training part, train on both, test on the same rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from levelling.errors import InvalidProof
from levelling.measures import effective_sample_size, flatness
from levelling.proof.models import MODELS
from levelling.proof.scores import Answers, count_answers
from levelling.proof.split import HOLD_OUT_DISTANCE, drop_near_duplicates, split_by_groups
from levelling.proof.values import Leveller, ProofOptions, TrainingSet
from levelling.resample import resample_rows


@dataclass(frozen=True, eq=False)
class Material:
    """The labelled rows of a proof, everything by position.

    Attributes
    ----------
    rows : ndarray of shape (n,), int64
        Their row numbers in the dataset, ascending.
    vectors : ndarray of shape (n, d), float32
        Of length 1.
    classes, groups, clusters : ndarray of shape (n,), int64
        Classes and clusters from 0, clusters -1 for noise.
    """

    rows: NDArray[np.int64]
    vectors: NDArray[np.float32] = field(repr=False)
    classes: NDArray[np.int64] = field(repr=False)
    groups: NDArray[np.int64] = field(repr=False)
    clusters: NDArray[np.int64] = field(repr=False)

    @property
    def class_count(self) -> int:
        """The number of classes."""
        return int(self.classes.max()) + 1

    @property
    def cluster_count(self) -> int:
        """The number of clusters; 0 when all rows are noise."""
        return int(self.clusters.max()) + 1


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows to train on: positions, each once, and their weights, which sum to `size`."""

    positions: NDArray[np.int64]
    weights: NDArray[np.float64]
    size: int

    def __eq__(self, other: object) -> bool:
        """Whether a model would learn the same from both."""
        return (
            isinstance(other, Sample)
            and np.array_equal(self.positions, other.positions)
            and np.allclose(self.weights, other.weights)
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, eq=False)
class CurvePoint:
    """What one alpha came to with one seed."""

    alpha: float
    answers: Answers
    flatness: float
    sample_share: float


@dataclass(frozen=True, eq=False)
class Trial:
    """What one seed came to.

    Attributes
    ----------
    before, after : dict of str to Answers
        By model.
    everything : Answers or None
        Of the first model, trained on the whole training part; None where `before` is that.
    curve : tuple of CurvePoint
    training_rows, test_rows, size : int
        Rows of the training part, held-out rows, rows trained on.
    dropped_rows : int
        Held-out rows that were dropped as near-duplicates of rows of the training part.
    tested_classes : ndarray of int64
        The classes that are in both parts.
    """

    before: dict[str, Answers]
    after: dict[str, Answers]
    everything: Answers | None
    curve: tuple[CurvePoint, ...]
    training_rows: int
    test_rows: int
    dropped_rows: int
    size: int
    tested_classes: NDArray[np.int64]


class Trials:
    """The seeds of a proof; counts the models as they are trained."""

    def __init__(
        self,
        material: Material,
        leveller: Leveller,
        options: ProofOptions,
        report: Callable[[int, int], None],
    ) -> None:
        self._material = material
        self._leveller = leveller
        self._options = options
        self._report = report
        self._per_seed = 2 * len(options.models) + len(options.alphas) + 1
        self._done = 0

    def run(self, index: int) -> Trial:
        """Return what seed number `index` comes to."""
        options, material = self._options, self._material
        seed = options.seed + index
        generator = np.random.default_rng([options.seed, index])
        train, test, dropped_rows = self._split(generator)
        after = self._level(train, None, None, seed)
        before = _draw(train, after.size, generator)
        whole = _draw(train, len(train), generator)
        first = options.models[0]
        untouched = {name: self._learn(name, before, test) for name in options.models}
        levelled = {name: self._learn(name, after, test) for name in options.models}
        known = [(before, untouched[first]), (after, levelled[first])]
        everything = None if before == whole else self._learn(first, whole, test)
        curve = tuple(
            self._point(alpha, train, test, after.size, seed, known) for alpha in options.alphas
        )
        self._count((index + 1) * self._per_seed)
        return Trial(
            untouched,
            levelled,
            everything,
            curve,
            len(train),
            len(test),
            dropped_rows,
            after.size,
            np.unique(material.classes[test]),
        )

    def _split(
        self, generator: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        """Return both parts, and how many near-duplicates were dropped from the held-out one."""
        material, share = self._material, self._options.test_share
        held_out = split_by_groups(material.classes, material.groups, share, generator)
        train = np.flatnonzero(~held_out)
        test = np.flatnonzero(held_out)
        # A group of several classes may have taken the last rows of one of them.
        test = test[np.isin(material.classes[test], material.classes[train])]
        apart = drop_near_duplicates(material.vectors, train, test)
        if not len(apart):
            message = (
                "no row can be held out: near-duplicates reach across all classes, or every row"
                f" is within a cosine distance of {HOLD_OUT_DISTANCE:g} of others"
            )
            raise InvalidProof(message, field="label")
        return train, apart, len(test) - len(apart)

    def _point(
        self,
        alpha: float,
        train: NDArray[np.int64],
        test: NDArray[np.int64],
        size: int,
        seed: int,
        known: list[tuple[Sample, Answers]],
    ) -> CurvePoint:
        sample = self._level(train, alpha, size, seed)
        answers = next((answers for same, answers in known if same == sample), None)
        if answers is None:
            answers = self._learn(self._options.models[0], sample, test)
        return CurvePoint(alpha, answers, *self._describe(sample, train))

    def _level(
        self, train: NDArray[np.int64], alpha: float | None, size: int | None, seed: int
    ) -> Sample:
        """Return the levelled sample of a training part."""
        rows = self._material.rows
        levelled = self._leveller(rows[train], alpha, size, seed)
        return _as_sample(levelled, rows)

    def _learn(self, model: str, sample: Sample, test: NDArray[np.int64]) -> Answers:
        material = self._material
        present, classes = np.unique(material.classes[sample.positions], return_inverse=True)
        vectors = material.vectors[sample.positions]
        answers = MODELS[model].answer(
            vectors, classes.astype(np.int64), sample.weights, material.vectors[test]
        )
        self._count(self._done + 1)
        return count_answers(
            material.classes[test],
            present[answers],
            material.clusters[test],
            material.class_count,
            material.cluster_count,
        )

    def _describe(self, sample: Sample, train: NDArray[np.int64]) -> tuple[float, float]:
        """Return the flatness of a sample over the training part's clusters, and its share.

        The share is that of its effective sample size in its size.
        """
        clusters = self._material.clusters[sample.positions]
        inside = clusters >= 0
        sizes = np.bincount(
            clusters[inside],
            weights=sample.weights[inside],
            minlength=self._material.cluster_count,
        )
        there = np.unique(self._material.clusters[train])
        share = effective_sample_size(sample.weights) / sample.size
        return flatness(sizes[there[there >= 0]]), share

    def _count(self, done: int) -> None:
        self._done = done
        self._report(done, self._per_seed * self._options.seeds)


def _as_sample(levelled: TrainingSet, rows: NDArray[np.int64]) -> Sample:
    """Return each row once with all its weight; the size is the rows that have any."""
    weights = levelled.weights
    weights = np.ones(len(levelled.rows)) if weights is None else weights
    kept = weights > 0
    unique, index = np.unique(levelled.rows[kept], return_inverse=True)
    sums = np.bincount(index, weights=weights[kept])
    size = int(np.count_nonzero(kept))
    return Sample(np.searchsorted(rows, unique), sums * (size / sums.sum()), size)


def _draw(train: NDArray[np.int64], size: int, generator: np.random.Generator) -> Sample:
    """Return so many rows at random, without repeats until all are taken."""
    seed = int(generator.integers(2**31))
    if size == len(train):
        return Sample(train, np.ones(size), size)
    most = -(-size // len(train))
    drawn = resample_rows(np.ones(len(train)), size, seed, max_repeat=most)
    positions, copies = np.unique(train[drawn], return_counts=True)
    return Sample(positions, copies.astype(np.float64), size)
