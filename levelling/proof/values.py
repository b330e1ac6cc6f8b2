"""What a proof is made from: the rows, what is asked, and what levels the training part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from levelling.errors import InvalidProof
from levelling.proof.models import DEFAULT_MODEL, MODELS

MAX_SEEDS = 100
MAX_TEST_SHARE = 0.5

Report = Callable[[int, int], None]
"""Called with the number of models trained so far and of all; may raise to break off."""


@dataclass(frozen=True, eq=False)
class ProofData:
    """The rows of a dataset as a proof needs them.

    Parameters
    ----------
    vectors : ndarray of shape (n_rows, n_dimensions), float32
        Finite. They are scaled to length 1 where they are used; a row of zeros stays zero.
    clusters : ndarray of shape (n_rows,), int32
        The cluster of each row in the layer that is levelled, -1 for noise.
    groups : ndarray of shape (n_rows,), int32, optional
        The group of near-duplicates of each row; every row is alone when not given.
    labels : sequence of str or None, optional
        The class of each row. None or a blank cell: not known, the row is left out. When there
        are no labels at all, nothing is trained and proxies are given instead.

    Raises
    ------
    InvalidProof
        If the lengths differ.
    """

    vectors: NDArray[np.float32] = field(repr=False)
    clusters: NDArray[np.int32] = field(repr=False)
    groups: NDArray[np.int32] | None = field(default=None, repr=False)
    labels: Sequence[str | None] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse parts of different lengths."""
        parts = (self.clusters, self.groups, self.labels)
        if any(part is not None and len(part) != len(self.vectors) for part in parts):
            message = "vectors, clusters, groups and labels must have one entry for each row"
            raise InvalidProof(message, field="labels")

    @property
    def row_groups(self) -> NDArray[np.int64]:
        """The group of each row, int64; the row's own number where no groups were given."""
        if self.groups is None:
            return np.arange(len(self.vectors), dtype=np.int64)
        return self.groups.astype(np.int64)


@dataclass(frozen=True)
class ProofOptions:
    """What is asked of a proof.

    Parameters
    ----------
    seeds : int
        How many times the rows are split, levelled and learnt anew, 1 to 100. One gives no
        interval.
    seed : int
        Of every random choice, at least 0.
    models : tuple of str
        Names in `MODELS`; the verdict and the curve are of the first.
    test_share : float
        The part of each class that is held out, above 0 and at most 0.5.
    alphas : tuple of float
        The points of the curve, 0 to 1: cluster sizes proportional to ``n ** alpha``, so that 0
        is flat and 1 unchanged. No curve when empty.
    max_rows : int
        At most so many rows with a label are used, drawn at random, at least 50.

    Raises
    ------
    InvalidProof
        If an option is out of range or a model is not known.
    """

    seeds: int = 5
    seed: int = 0
    models: tuple[str, ...] = (DEFAULT_MODEL,)
    test_share: float = 0.25
    alphas: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    max_rows: int = 20_000

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        _require(1 <= self.seeds <= MAX_SEEDS, "seeds", f"from 1 to {MAX_SEEDS}")
        _require(0 <= self.seed < 2**63, "seed", "at least 0")
        is_share = 0 < self.test_share <= MAX_TEST_SHARE
        _require(is_share, "test_share", f"above 0 and at most {MAX_TEST_SHARE}")
        _require(all(0 <= alpha <= 1 for alpha in self.alphas), "alphas", "from 0 to 1")
        _require(self.max_rows >= 50, "max_rows", "at least 50")
        known = bool(self.models) and all(name in MODELS for name in self.models)
        _require(known, "models", f"among {', '.join(MODELS)}")


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """The rows that a model is trained on.

    Parameters
    ----------
    rows : ndarray of shape (n,), int64
        Row numbers of the dataset; a row that is repeated stands there as often.
    weights : ndarray of shape (n,), float64, optional
        The weight of each entry of `rows`, at least 0; all equal when not given. Only their
        proportions matter.
    """

    rows: NDArray[np.int64]
    weights: NDArray[np.float64] | None = None


class Leveller(Protocol):
    """Makes the levelled training set of a part of the dataset, without seeing a label."""

    def __call__(
        self, rows: NDArray[np.int64], alpha: float | None, size: int | None, seed: int
    ) -> TrainingSet:
        """Return the levelled set of these rows.

        Parameters
        ----------
        rows : ndarray of int64
            The rows of the training part, ascending; no other row may be returned.
        alpha : float, optional
            None: the levelling that the person asked for, any budget scaled to the part. 0 to 1:
            the same with cluster sizes proportional to ``n ** alpha``.
        size : int, optional
            How many rows to return, repeats counted, where the levelling chooses rows; as many as
            it finds right when not given.
        seed : int
        """
        ...  # pragma: no cover


def _require(holds: bool, name: str, allowed: str) -> None:
    if not holds:
        raise InvalidProof(f"{name} must be {allowed}", field=name)
