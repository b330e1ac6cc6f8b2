"""What can be said of a levelling where no labels are known: coverage and novelty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from levelling.proof.intervals import Comparison
from levelling.proof.result import Proof, Proxies, RowCounts
from levelling.proof.values import Leveller, ProofData, ProofOptions, Report, TrainingSet
from levelling.proof.verdict import Verdict, VerdictKind
from levelling.resample import resample_rows

SAMPLED_ROWS = 4_000
"""Distances are measured from at most so many rows, drawn at random for each seed."""
BLOCK_ROWS = 512
DRAWN_SHARE = 0.1


@dataclass(frozen=True)
class _Distances:
    """Cosine distances of sampled rows to the nearest kept row, and of kept rows to another."""

    pool: NDArray[np.float32]
    kept: NDArray[np.float32]


def prove_by_proxies(
    data: ProofData,
    units: NDArray[np.float32],
    leveller: Leveller,
    options: ProofOptions,
    report: Report,
) -> Proof:
    """Return how well the levelled rows cover the dataset and how different they are.

    Parameters
    ----------
    data : ProofData
    units : ndarray of shape (n_rows, n_dimensions), float32
        The vectors, of length 1.
    leveller : Leveller
    options : ProofOptions
    report : callable
    """
    pairs, kept_rows = [], []
    for index in range(options.seeds):
        generator = np.random.default_rng([options.seed, index])
        everyone = np.arange(len(units), dtype=np.int64)
        levelled = leveller(everyone, None, None, options.seed + index)
        kept = _distinct(levelled, options.seed + index)
        drawn = np.sort(generator.choice(len(units), len(kept), replace=False))
        sampled = np.sort(generator.permutation(len(units))[:SAMPLED_ROWS])
        pairs.append(tuple(_measure(units, sampled, rows, generator) for rows in (drawn, kept)))
        kept_rows.append(len(kept))
        report(index + 1, options.seeds)
    found = _summarise(pairs, round(float(np.mean(kept_rows))))
    rows = RowCounts(len(units), 0, len(units), trained_on=found.kept_rows)
    return Proof(_verdict(found), (_NOTE,), options, rows, proxies=found)


_NOTE = (
    "Coverage and novelty are proxies: they say how the rows are spread, not what a model learns"
    " from them. Intervals are left out, as the rows are the same with every seed."
)


def _distinct(levelled: TrainingSet, seed: int) -> NDArray[np.int64]:
    """Return the rows that stay; of weighted rows a tenth drawn by weight, as a trainer would."""
    if levelled.weights is None:
        return np.unique(levelled.rows)
    size = max(1, round(DRAWN_SHARE * len(levelled.rows)))
    return np.unique(levelled.rows[resample_rows(levelled.weights, size, seed)])


def _measure(
    units: NDArray[np.float32],
    sampled: NDArray[np.int64],
    kept: NDArray[np.int64],
    generator: np.random.Generator,
) -> _Distances:
    some = np.sort(generator.permutation(kept)[:SAMPLED_ROWS])
    return _Distances(
        _nearest(units, sampled, kept, but_itself=False),
        _nearest(units, some, kept, but_itself=True),
    )


def _nearest(
    units: NDArray[np.float32],
    rows: NDArray[np.int64],
    kept: NDArray[np.int64],
    *,
    but_itself: bool,
) -> NDArray[np.float32]:
    """Return the cosine distance of each row to the nearest kept row, but for the row itself.

    0 where there is no other row.
    """
    others = units[kept]
    nearest = np.zeros(len(rows), dtype=np.float32)
    if len(kept) < 2 and but_itself:
        return nearest
    for start in range(0, len(rows), BLOCK_ROWS):
        block = rows[start : start + BLOCK_ROWS]
        similarities = units[block] @ others.T
        if but_itself:
            similarities[np.arange(len(block)), np.searchsorted(kept, block)] = -1
        nearest[start : start + BLOCK_ROWS] = 1 - similarities.max(axis=1)
    return np.maximum(nearest, 0)


def _summarise(pairs: list[tuple[_Distances, ...]], kept_rows: int) -> Proxies:
    # The distance that half of the rows keep under a random draw: coverage there is about 0.5.
    distance = float(np.median(np.concatenate([drawn.pool for drawn, _ in pairs])))

    def compared(figure: str) -> Comparison:
        values = [
            tuple(_figures(one, distance)[figure] for one in (drawn, kept)) for drawn, kept in pairs
        ]
        before, after = (tuple(column) for column in zip(*values, strict=True))
        means = float(np.mean(before)), float(np.mean(after))
        return Comparison(*means, means[1] - means[0], None, None, before, after)

    return Proxies(
        kept_rows, compared("coverage"), distance, compared("mean_distance"), compared("novelty")
    )


def _figures(found: _Distances, distance: float) -> dict[str, float]:
    return {
        "coverage": float(np.mean(found.pool <= distance)),
        "mean_distance": float(np.mean(found.pool)),
        "novelty": float(np.mean(found.kept)),
    }


def _verdict(found: Proxies) -> Verdict:
    text = (
        "There are no labels, so nothing was trained; whether a model gains cannot be said. As"
        f" proxies, {found.kept_rows:,} levelled rows against as many at random: within a cosine"
        f" distance of {found.coverage_distance:.3f} they cover {found.coverage.after:.1%} of all"
        f" rows ({found.coverage.before:.1%} at random), and lie"
        f" {found.novelty.after:.3f} from the nearest other kept row"
        f" ({found.novelty.before:.3f} at random)."
    )
    return Verdict(VerdictKind.PROXIES, text)
