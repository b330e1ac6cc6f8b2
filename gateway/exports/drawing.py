"""Which rows stand in an export, in which order, how often, and what each counts; pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.exports.options import ExportFormat, ExportOptions
from gateway.exports.source import ExportSource
from levelling import resample_rows, spread_copies

_DIGITS = 14


@dataclass(frozen=True, eq=False)
class DrawnRows:
    """The lines of an export.

    Parameters
    ----------
    rows : ndarray of shape (lines,), int64
        The row of each line.
    is_whole : bool
        Whether the lines are all rows of the file, in its order, once each.
    copies : ndarray of shape (rows of the file,), int64
        How often each row is meant to stand there.
    line_weight : ndarray of shape (rows of the file,), float64
        What each line of a row counts: mean 1 over the lines.
    """

    rows: NDArray[np.int64]
    is_whole: bool
    copies: NDArray[np.int64]
    line_weight: NDArray[np.float64]


def draw_rows(source: ExportSource, options: ExportOptions) -> DrawnRows:
    """Return the lines of an export.

    Raises
    ------
    InvalidSampling
        When the rows that were asked for cannot be drawn.
    """
    if options.format is ExportFormat.BALANCED:
        return _planned(source, repeat=options.repeat is not False)
    count = source.info.row_count
    if options.format is ExportFormat.WEIGHTED:
        weights = source.row_weights()
        return DrawnRows(np.arange(count), True, np.ones(count, np.int64), weights)
    rows = resample_rows(
        source.row_weights(),
        rows=options.rows,
        seed=options.seed or 0,
        max_repeat=options.max_repeat,
    )
    return DrawnRows(rows, False, np.bincount(rows, minlength=count), np.ones(count))


def _planned(source: ExportSource, repeat: bool) -> DrawnRows:
    assert source.plan is not None
    copies = np.asarray(source.plan.copies, np.int64)
    weights = np.asarray(source.plan.sample_weight, np.float64)
    if not repeat:
        return DrawnRows(np.flatnonzero(copies), False, copies, weights)
    rows = spread_copies(copies)
    # The weight of a row counts its copies: the lines of a row share it.
    shared = np.divide(weights, copies, out=np.zeros_like(weights), where=copies > 0)
    # Relative to the largest, and without the last digits: what is equal becomes exactly 1.
    largest = shared.max(initial=0.0)
    relative = np.round(shared / largest, _DIGITS) if largest else shared
    mean = float(relative[rows].mean()) if rows.size else 0.0
    return DrawnRows(rows, False, copies, relative / mean if mean else relative)
