"""How a pick of rows is judged: long-tailed pools, a balanced test part, one linear model.

``docs/outcome.md`` says why it is so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from benchmarks.labelled import LabelledSet
from cluster_svc.clusters import Clustering, run_clustering
from cluster_svc.graph import NeighborGraph

TEST_ROWS = 20
LEAST_POOL_ROWS = 3
FALL = 0.15
BUDGET_SHARE = 0.3
# A class with fewer cannot be among the large ones of a pool.
LEAST_CLASS_ROWS = 2 * TEST_ROWS
REGULARISATION = 10.0
RANDOM_DRAWS = 3
BALANCED_DRAWS = 2
BOOTSTRAP_DRAWS = 10_000

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Judgement:
    """What a model learnt from a pick: macro accuracy over all classes, and over the rare ones."""

    accuracy: float
    rare_accuracy: float


@dataclass(frozen=True, eq=False)
class Pool:
    """A long-tailed pool of rows; all that a pick may look at.

    Attributes
    ----------
    vectors : float32 array of shape (rows, dimensions)
        Of length 1.
    budget : int
        How many rows are to be picked.
    seed : int
    class_count : int
        How many classes there are, for those that must be told how many clusters to seek.
    """

    vectors: NDArray[np.float32] = field(repr=False)
    budget: int
    seed: int
    class_count: int

    @cached_property
    def similarities(self) -> NDArray[np.float32]:
        """Cosines of all pairs."""
        found: NDArray[np.float32] = self.vectors @ self.vectors.T
        return found

    @cached_property
    def clustered(self) -> tuple[Clustering, NeighborGraph]:
        """Level's own clusters and neighbour graph, by its default setting."""
        graphs: list[NeighborGraph] = []
        found = run_clustering(self.vectors, seed=self.seed, on_graph=graphs.append)
        return found, graphs[0]


@dataclass(frozen=True, eq=False)
class Task:
    """A pool with what judges a pick from it.

    Attributes
    ----------
    pool : Pool
    classes : int64 array of shape (rows of the pool,)
    test_vectors : float32 array of shape (test rows, dimensions)
    test_classes : int64 array of shape (test rows,)
        Every class equally often.
    rare : int64 array
        The rarest third of the classes in the pool.
    regularisation : float
        scikit-learn's C: the larger, the weaker the penalty.
    """

    pool: Pool
    classes: Rows = field(repr=False)
    test_vectors: NDArray[np.float32] = field(repr=False)
    test_classes: Rows = field(repr=False)
    rare: Rows = field(repr=False)
    regularisation: float = REGULARISATION

    def judge(self, picked: Rows) -> Judgement:
        """Return what logistic regression learns from these rows of the pool.

        Raises
        ------
        ValueError
            If the pick is not what the budget says, or repeats a row.
        """
        if len(picked) != self.pool.budget or len(np.unique(picked)) != len(picked):
            raise ValueError(f"{len(picked)} rows were picked, not {self.pool.budget} different")
        model = LogisticRegression(C=self.regularisation, max_iter=300, tol=1e-3)
        model.fit(self.pool.vectors[picked], self.classes[picked])
        hits = model.predict(self.test_vectors) == self.test_classes
        by_class = np.bincount(self.test_classes, weights=hits) / np.bincount(self.test_classes)
        return Judgement(float(by_class.mean()), float(by_class[self.rare].mean()))


def prepare_set(
    chosen: LabelledSet, left_out: Sequence[str]
) -> tuple[LabelledSet, tuple[str, ...]]:
    """Return the classes that take part, and what was left out, in sentences.

    Raises
    ------
    SystemExit
        If fewer than three classes are left.
    """
    sizes = np.bincount(chosen.classes)
    named = np.isin(np.array(chosen.class_names), left_out)
    small = (sizes < LEAST_CLASS_ROWS) & ~named
    if (kept := ~named & ~small).sum() < 3:
        raise SystemExit(
            f"{chosen.name} has fewer than three classes of at least {LEAST_CLASS_ROWS} rows."
        )
    sentences = [f"without the class {name}" for name in np.array(chosen.class_names)[named]]
    if small.any():
        sentences.append(
            f"without {small.sum()} classes of fewer than {LEAST_CLASS_ROWS} rows"
            f" ({sizes[small].sum():,} rows)"
        )
    rows = np.flatnonzero(kept[chosen.classes])
    return chosen.take(rows), tuple(sentences)


def draw_task(chosen: LabelledSet, seed: int, largest: int | None = None) -> Task:
    """Return the pool and test part of a seed.

    Parameters
    ----------
    chosen : LabelledSet
        Every class with at least `LEAST_CLASS_ROWS` rows.
    seed : int
        Of the order of the classes, the rows of both parts, and every method's own choices.
    largest : int, optional
        Rows of the largest class of the pool, at most; what the median class leaves to it when
        that is less, or this is not given.
    """
    generator = np.random.default_rng(seed)
    sizes = np.bincount(chosen.classes)
    head = int(np.median(sizes)) - TEST_ROWS
    head = min(head, largest or head)
    pool, test = [], []
    for rank, code in enumerate(generator.permutation(chosen.class_count)):
        rows = generator.permutation(np.flatnonzero(chosen.classes == code))
        wanted = max(LEAST_POOL_ROWS, round(head / (1 + FALL * rank)))
        test.append(rows[:TEST_ROWS])
        pool.append(rows[TEST_ROWS:][:wanted])
    rows = generator.permutation(np.concatenate(pool))
    held_out = np.concatenate(test)
    lengths = np.linalg.norm(chosen.vectors, axis=1, keepdims=True)
    units = (chosen.vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    classes = chosen.classes[rows].astype(np.int64)
    rare = np.argsort(np.bincount(classes), kind="stable")[: chosen.class_count // 3]
    return Task(
        Pool(units[rows], int(BUDGET_SHARE * len(rows)), seed, chosen.class_count),
        classes,
        units[held_out],
        chosen.classes[held_out].astype(np.int64),
        rare,
    )


def largest_class(class_count: int, pool_rows: int) -> int:
    """Return how many rows the largest class may have, for a pool of at most so many rows."""
    return max(1, int(pool_rows / (1 / (1 + FALL * np.arange(class_count))).sum()))


def pick_balanced(classes: Rows, budget: int, generator: np.random.Generator) -> Rows:
    """Return a pick that is as even over the true classes as their sizes allow."""
    sizes = np.bincount(classes)
    counts = share_evenly(sizes, budget, generator)
    picked = [
        generator.choice(np.flatnonzero(classes == code), count, replace=False)
        for code, count in enumerate(counts.tolist())
    ]
    return np.concatenate(picked)


def share_evenly(sizes: Rows, budget: int, generator: np.random.Generator) -> Rows:
    """Return how many rows of each group to take: equally many, all of a group that has fewer.

    What is left over goes to groups at random, one row each.
    """
    budget = min(budget, int(sizes.sum()))
    ascending = np.sort(sizes)
    # What all of the smaller groups and an equal part of each larger one come to.
    reached = np.cumsum(ascending) + ascending * np.arange(len(sizes) - 1, -1, -1)
    full = int(np.searchsorted(reached, budget, side="right"))
    rest = budget - int(ascending[:full].sum())
    level = rest // (len(sizes) - full) if full < len(sizes) else int(ascending[-1])
    counts = np.minimum(sizes, level)
    larger = np.flatnonzero(sizes > level)
    extra = generator.permutation(larger)[: budget - int(counts.sum())]
    counts[extra] += 1
    return counts.astype(np.int64)


@dataclass(frozen=True)
class Recovered:
    """A share of what a label-balanced pick gains over a random one, with its 95 % interval."""

    share: float
    low: float
    high: float


def recovered_share(method: Floats, random: Floats, balanced: Floats) -> Recovered:
    """Return ``(method - random) / (balanced - random)`` of means over seeds.

    The interval is a percentile bootstrap over seeds, all three figures of a seed together.

    Parameters
    ----------
    method, random, balanced : float64 array of shape (seeds,)
        Accuracies on the same pools.
    """
    gains, wholes = method - random, balanced - random
    generator = np.random.default_rng(0)
    drawn = generator.integers(0, len(gains), (BOOTSTRAP_DRAWS, len(gains)))
    shares = gains[drawn].mean(axis=1) / wholes[drawn].mean(axis=1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return Recovered(float(gains.mean() / wholes.mean()), float(low), float(high))


def mean_interval(differences: Floats) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of a mean over seeds."""
    generator = np.random.default_rng(0)
    drawn = generator.integers(0, len(differences), (BOOTSTRAP_DRAWS, len(differences)))
    low, high = np.quantile(differences[drawn].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)
