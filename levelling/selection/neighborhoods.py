"""Which rows are similar to which: all pairs of them, or the near ones inside blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_diag, csr_array

from levelling.selection.blocks import split_rows
from levelling.selection.choice import Report, Rows
from levelling.selection.covers import Cover, DenseCover, SparseCover, nearest_cosines, to_units
from levelling.selection.nested_cuts import link


@dataclass(frozen=True, eq=False)
class Neighborhoods:
    """Which rows are similar to which.

    Parameters
    ----------
    order : ndarray of shape (n_rows,), int64
        The rows, block after block.
    starts : ndarray of shape (n_blocks + 1,), int64
        Where each block starts in `order`, and the end.
    cover : Cover
        Of the rows in that order.
    trees : list of ndarray
        The complete-linkage tree of each block.
    """

    order: Rows
    starts: NDArray[np.int64]
    cover: Cover
    trees: list[NDArray[np.float64]]


def compare_all(projected: NDArray[np.float32]) -> Neighborhoods:
    """Return one block, in which all pairs of rows count.

    Parameters
    ----------
    projected : ndarray of shape (n_rows, n_axes), float32
        Of length 1.
    """
    cosines = projected @ projected.T
    row_count = len(projected)
    return Neighborhoods(
        order=np.arange(row_count),
        starts=np.array([0, row_count]),
        cover=DenseCover(to_units(cosines)),
        trees=[link(cosines)],
    )


def compare_in_blocks(projected: NDArray[np.float32], report: Report) -> Neighborhoods:
    """Return blocks of similar rows, in which only near neighbours count.

    Parameters
    ----------
    projected : ndarray of shape (n_rows, n_axes), float32
        Of length 1.
    report : callable
    """
    blocks = split_rows(projected)
    near, trees, row_count = [], [], 0
    for rows in blocks:
        cosines = projected[rows] @ projected[rows].T
        near.append(nearest_cosines(cosines))
        trees.append(link(cosines))
        row_count += rows.size
        report(row_count / len(projected))
    return Neighborhoods(
        order=np.concatenate(blocks),
        starts=np.cumsum([0, *(rows.size for rows in blocks)]),
        cover=SparseCover(csr_array(block_diag(near, format="csr"))),
        trees=trees,
    )
