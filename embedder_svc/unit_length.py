"""Which vectors are of unit length; no others are given to anybody."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_TOLERANCE = 1e-3


def are_unit(vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return for each row whether it is finite and of length 1, bool of shape (n_rows,)."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("ij,ij->i", vectors, vectors)
        # NaN is within no tolerance.
        unit: NDArray[np.bool_] = np.abs(np.sqrt(squares) - 1) <= _TOLERANCE
    return unit
