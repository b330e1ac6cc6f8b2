"""What an estimator is given as X: texts, a table with texts, or vectors; and rows of it again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class RowsGiven:
    """The rows of X.

    Attributes
    ----------
    texts : list of str, optional
    vectors : ndarray of shape (n_rows, n_dimensions), float32, optional
        At least one of the two is there.
    """

    texts: list[str] | None
    vectors: NDArray[np.float32] | None

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        if self.texts is not None:
            return len(self.texts)
        assert self.vectors is not None
        return len(self.vectors)


def read_rows_given(
    given: Any, embeddings: ArrayLike | None = None, text_column: Any = None
) -> RowsGiven:
    """Return the rows of X.

    Parameters
    ----------
    given : list, Series, DataFrame or ndarray
        Texts; a pandas DataFrame with a column of them; or an array of numbers of shape (n_rows,
        n_dimensions), the vectors of rows.
    embeddings : array_like of shape (n_rows, n_dimensions), optional
        Vectors of the texts, where they are known.
    text_column : optional
        The name of the DataFrame's column; the one column of texts when not given.

    Raises
    ------
    ValueError
        When it is none of these, there is no row, or the two do not fit together.
    TypeError
        When a text is none.
    """
    vectors = None if embeddings is None else _check_vectors(embeddings)
    if _is_pandas(given, "DataFrame"):
        given = _column(given, text_column)
    elif isinstance(given, np.ndarray) and given.ndim == 2 and given.dtype.kind in "fiu":
        if vectors is not None:
            raise ValueError("X is an array of numbers: give texts as X, or leave embeddings out")
        return RowsGiven(None, _check_vectors(given))
    texts = _check_texts(given)
    if vectors is not None and len(vectors) != len(texts):
        raise ValueError(f"{len(texts)} texts and {len(vectors)} embeddings: give one for each row")
    return RowsGiven(texts, vectors)


def take_rows(given: Any, rows: NDArray[np.int64]) -> Any:
    """Return rows of X or y, by their positions, as what they came as.

    Parameters
    ----------
    given : list, tuple, ndarray, or pandas DataFrame or Series
        pandas keeps the labels of its index, which tell rows again.
    rows : ndarray of shape (n_taken,), int64
    """
    if hasattr(given, "iloc"):
        return given.iloc[rows]
    if isinstance(given, np.ndarray) or hasattr(given, "tocsr"):
        return given[rows]
    taken = [given[row] for row in rows.tolist()]
    return tuple(taken) if isinstance(given, tuple) else taken


def _check_texts(given: Any) -> list[str]:
    if isinstance(given, str | bytes) or not hasattr(given, "__iter__"):
        raise ValueError("X must be a list of texts, a table with a column of them, or vectors")
    texts = list(given)
    if not texts:
        raise ValueError("X has no rows")
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(
                f"row {row} of X is not a text but {type(text).__name__}; fill or drop such rows"
            )
    # A NumPy string is one of ours only in part.
    return [str(text) for text in texts]


def _check_vectors(given: ArrayLike) -> NDArray[np.float32]:
    vectors = np.asarray(given, np.float32)
    if vectors.ndim != 2 or not vectors.shape[1]:
        raise ValueError(f"embeddings must have two axes, rows and dimensions, not {vectors.shape}")
    if not len(vectors):
        raise ValueError("X has no rows")
    if not np.isfinite(vectors).all():
        raise ValueError("embeddings hold NaN or an infinity")
    return np.ascontiguousarray(vectors)


def _column(table: Any, name: Any) -> Any:
    if name is not None:
        if list(table.columns).count(name) != 1:
            raise ValueError(
                f"the table has no column {name!r}, or several: {_named(table.columns)}"
            )
        return table[name]
    texts = [one for one in table.columns if _holds_texts(table[one])]
    if len(texts) != 1:
        found = "no column of texts" if not texts else f"several columns of texts: {_named(texts)}"
        raise ValueError(f"the table has {found}; say which with text_column")
    return table[texts[0]]


def _holds_texts(column: Any) -> bool:
    return getattr(column, "ndim", 1) == 1 and len(column) > 0 and isinstance(column.iloc[0], str)


def _named(columns: Sequence[Any]) -> str:
    return ", ".join(map(repr, list(columns)[:20]))


def _is_pandas(given: Any, name: str) -> bool:
    """Whether something is of pandas, which is not imported for that: who gives it has it."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(given, getattr(pandas, name))
