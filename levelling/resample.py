"""A dataset of rows drawn in proportion to their weights, for trainers that take no weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from levelling.errors import InvalidSampling

# An expected count this close to a whole number is that number: sums of a million weights are
# exact to about 1e-10, and a row expected once must be drawn once.
WHOLE_TOLERANCE = 1e-9


def resample_rows(
    weights: ArrayLike, rows: int | None = None, seed: int = 0, max_repeat: int | None = None
) -> NDArray[np.int64]:
    """Return the indices of rows drawn with probability proportional to weight.

    Systematic sampling over rows in random order: one random start, then equal steps along the
    cumulated weights. Each row is drawn its expected number of times, rounded down or up, which is
    the least variance a draw of whole rows can have. The excess of rows that `max_repeat` holds
    back goes to the others in proportion to their weights. The copies of a row stand about
    equally far apart in the result, which is in random order otherwise.

    Parameters
    ----------
    weights : array_like of shape (n_rows,)
        The weight of each row, finite and at least 0; a row of weight 0 is never drawn.
    rows : int, optional
        How many rows to draw, at least 1; as many as there are weights when not given.
    seed : int
        The seed of every random choice, at least 0: the same seed draws the same rows.
    max_repeat : int, optional
        The most often one row may be drawn, at least 1; without a limit when not given.

    Returns
    -------
    ndarray of shape (rows,), int64
        Indices into `weights`. Every row once when all weights are equal and `rows` is not given.

    Raises
    ------
    InvalidSampling
        If an argument is out of range, no weight is above 0, or `rows` is more than `max_repeat`
        times the rows with a weight above 0.

    References
    ----------
    Madow, W. G. (1949). On the theory of systematic sampling, II. Annals of Mathematical Statistics
    20(3), 333-354. The random order is that of Hartley, H. O. and Rao, J. N. K. (1962), Sampling
    with unequal probabilities and without replacement, ibid. 33(2), 350-374.
    """
    checked = _checked_weights(weights)
    wanted = checked.size if rows is None else rows
    _check_draw(wanted, seed, max_repeat, int(np.count_nonzero(checked)))
    generator = np.random.default_rng(seed)
    candidates = generator.permutation(np.flatnonzero(checked))
    expected = _expected_counts(checked[candidates], wanted, max_repeat)
    copies = _draw_counts(expected, wanted, generator)
    return _spread(candidates, copies, generator)


def spread_copies(copies: ArrayLike) -> NDArray[np.int64]:
    """Return every row as often as asked, its copies equally far apart, without any chance.

    The first copy of a row stands where the row stands in the input, the others in equal steps from
    there, around the end: row i of n with c copies is at ``(i + 0.5) / n + j / c`` modulo 1 of the
    result, j from 0. Without repeats that is the order of the input.

    Parameters
    ----------
    copies : array_like of shape (n_rows,), int
        How often each row comes, at least 0.

    Returns
    -------
    ndarray of shape (sum of copies,), int64
        Indices into `copies`.

    Raises
    ------
    InvalidSampling
        If a count is negative.
    """
    counts = np.asarray(copies, dtype=np.int64)
    if (counts < 0).any():
        raise InvalidSampling("a row cannot come less than 0 times", field="copies")
    rows = np.repeat(np.arange(counts.size), counts)
    copy_index = np.arange(rows.size) - np.repeat(np.cumsum(counts) - counts, counts)
    keys = ((rows + 0.5) / max(counts.size, 1) + copy_index / counts[rows]) % 1.0
    spread: NDArray[np.int64] = rows[np.argsort(keys, kind="stable")]
    return spread


def _expected_counts(
    weights: NDArray[np.float64], rows: int, max_repeat: int | None
) -> NDArray[np.float64]:
    """Return ``min(factor * weight, max_repeat)`` with the factor that makes the sum `rows`."""
    # The floor keeps the factor finite, and is below what any draw could show.
    relative = np.maximum(weights / weights.max(), np.finfo(np.float32).tiny)
    if max_repeat is None:
        expected: NDArray[np.float64] = relative * (rows / relative.sum())
        return expected
    ascending = np.sort(relative)
    below = np.cumsum(ascending)
    capped = np.arange(ascending.size - 1, -1, -1)
    # The factor if only the `capped` heaviest rows were held at the limit. The one that holds the
    # fewest and leaves the rest below the limit is the solution.
    factors = (rows - float(max_repeat) * capped) / below
    feasible = factors * ascending <= max_repeat * (1 + WHOLE_TOLERANCE)
    factor = factors[np.flatnonzero(feasible)[-1]]
    limited: NDArray[np.float64] = np.minimum(relative * factor, float(max_repeat))
    return limited


def _draw_counts(
    expected: NDArray[np.float64], rows: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Return whole counts that sum to `rows`, each its expected count rounded down or up."""
    copies = np.floor(expected + WHOLE_TOLERANCE).astype(np.int64)
    fractions = expected - copies
    partial = np.flatnonzero(fractions > WHOLE_TOLERANCE)
    remaining = rows - int(copies.sum())
    if remaining > 0:
        ends = np.cumsum(fractions[partial])
        ends *= remaining / ends[-1]
        marks = generator.random() + np.arange(remaining)
        np.add.at(copies, partial[np.searchsorted(ends[:-1], marks, side="right")], 1)
    return copies


def _spread(
    candidates: NDArray[np.int64], copies: NDArray[np.int64], generator: np.random.Generator
) -> NDArray[np.int64]:
    """Return each candidate `copies` times, its copies equally far apart from a random start."""
    total = int(copies.sum())
    firsts = np.repeat(np.cumsum(copies) - copies, copies)
    copy_index = np.arange(total) - firsts
    starts = generator.random(candidates.size)
    keys = (copy_index + np.repeat(starts, copies)) / np.repeat(copies, copies)
    return np.repeat(candidates, copies)[np.argsort(keys, kind="stable")]


def _checked_weights(weights: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(weights, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all() or (array < 0).any():
        raise InvalidSampling("weights must be a list of finite numbers of at least 0")
    if not array.any():
        raise InvalidSampling("there is no row with a weight above 0 to draw", field="weights")
    return array


def _check_draw(rows: int, seed: int, max_repeat: int | None, positive: int) -> None:
    if rows < 1:
        raise InvalidSampling(f"rows must be at least 1, not {rows}", field="rows")
    if seed < 0:
        raise InvalidSampling(f"seed must be at least 0, not {seed}", field="seed")
    if max_repeat is None:
        return
    if max_repeat < 1:
        raise InvalidSampling(
            f"max_repeat must be at least 1, not {max_repeat}", field="max_repeat"
        )
    if rows > max_repeat * positive:
        raise InvalidSampling(
            f"{rows} rows cannot be drawn from {positive} rows with a weight above 0, each at most "
            f"{max_repeat} times; ask for at most {max_repeat * positive} rows or raise max_repeat",
            field="rows",
        )
