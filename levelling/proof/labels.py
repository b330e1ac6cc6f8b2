"""The classes of rows, from the cells of a label column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from levelling.errors import InvalidProof


@dataclass(frozen=True, eq=False)
class Classes:
    """The class of each row.

    Attributes
    ----------
    names : tuple of str
        Ascending.
    codes : ndarray of shape (n_rows,), int64
        The index of each row's class in `names`, -1 where it is not known.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int64] = field(repr=False)

    @property
    def missing_count(self) -> int:
        """How many rows have no label."""
        return int(np.count_nonzero(self.codes < 0))


def read_classes(labels: Sequence[str | None]) -> Classes:
    """Return the classes of a label column.

    Space around a label is no part of it; None and blank cells have no class.

    Raises
    ------
    InvalidProof
        If there is no label, or all are the same.
    """
    cells = [(label or "").strip() for label in labels]
    names = tuple(sorted({cell for cell in cells if cell}))
    if not names:
        raise InvalidProof("the label column is empty; name another column", field="label")
    if len(names) == 1:
        message = "every row has the same label; name a column with at least two classes"
        raise InvalidProof(message, field="label")
    code_of = {"": -1, **{name: code for code, name in enumerate(names)}}
    return Classes(names, np.array([code_of[cell] for cell in cells], dtype=np.int64))


def refuse_untestable(codes: NDArray[np.int64], groups: NDArray[np.int64]) -> None:
    """Refuse classes that a model cannot be tested on.

    Raises
    ------
    InvalidProof
        If fewer than two classes, or those of fewer than half of the rows, have two rows that are
        no near-duplicates.
    """
    pairs = np.unique(np.stack([codes, groups]), axis=1)
    testable = np.bincount(pairs[0]) > 1
    rows = np.bincount(codes)
    if np.count_nonzero(testable) < 2 or rows[testable].sum() < rows.sum() / 2:
        message = (
            f"most of the {rows.size:,} labels stand on one row only, near-duplicates counted as"
            " one, so that no row of them can be held out; name a column with few classes"
        )
        raise InvalidProof(message, field="label", class_count=rows.size)
