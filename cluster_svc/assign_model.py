"""What is kept of a clustering to find the clusters of new rows, and what is found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster_svc.landmarks import FARTHEST
from cluster_svc.vectors import FloatArray, IntArray
from level_rpc.errors import FieldInvalid


@dataclass(frozen=True)
class AssignModel:
    """What is kept of a clustering: plain arrays with one row for each landmark.

    Attributes
    ----------
    vectors : float32 array of shape (landmarks, dimensions)
        Finite; of any length, zero included.
    labels : int32 array of shape (landmarks,)
        Cluster ids of any one layer, -1 for noise.
    reaches : float32 array of shape (landmarks,)
        See `Landmarks`.
    positions : float32 array of shape (landmarks, 2), optional
        Where they lie on a layout, on any scale.
    """

    vectors: FloatArray
    labels: IntArray
    reaches: FloatArray
    positions: FloatArray | None = None

    def check(self) -> None:
        """Raise FieldInvalid unless the arrays fit together and hold what they may."""
        check_floats("model.vectors", self.vectors, (max(1, len(self.vectors)), None))
        count = len(self.vectors)
        if self.labels.dtype != np.int32 or self.labels.shape != (count,):
            raise _wrong_array("model.labels", self.labels, "int32", (count,))
        if self.labels.min() < -1:
            raise FieldInvalid("a label must be a cluster id or -1 for noise", field="model.labels")
        check_floats("model.reaches", self.reaches, (count,))
        if not 0 <= self.reaches.min() <= self.reaches.max() <= FARTHEST:
            raise FieldInvalid("a reach must be from 0 to 2", field="model.reaches")
        if self.positions is not None:
            check_floats("model.positions", self.positions, (count, 2))


@dataclass(frozen=True)
class Assigned:
    """Where new rows belong.

    Attributes
    ----------
    labels : int32 array of shape (rows,)
        The cluster of each row, -1 for noise.
    nearest : int32 array of shape (rows,)
        That cluster; of a noise row the one with the nearest centroid of landmarks; -1 where the
        model has no cluster.
    strengths : float32 array of shape (rows,)
        How firmly each row belongs to ``nearest``, 0 to 1: as `Membership`, from the centroids of
        the landmarks.
    positions : float32 array of shape (rows, 2) or None
        On the scale of the model's; None where it has none.
    """

    labels: IntArray
    nearest: IntArray
    strengths: FloatArray
    positions: FloatArray | None


def check_floats(field: str, array: FloatArray, shape: tuple[int | None, ...]) -> None:
    """Raise FieldInvalid unless the array has that shape, None for any, and is finite."""
    fits = array.ndim == len(shape) and all(
        wanted in (None, length) for wanted, length in zip(shape, array.shape, strict=True)
    )
    if array.dtype != np.float32 or not fits:
        raise _wrong_array(field, array, "float32", shape)
    if not np.isfinite(array).all():
        raise FieldInvalid(f"{field} holds NaN or an infinity", field=field)


def _wrong_array(
    field: str, array: NDArray[np.generic], dtype: str, shape: tuple[int | None, ...]
) -> FieldInvalid:
    wanted = ", ".join("any" if length is None else str(length) for length in shape)
    found = ", ".join(map(str, array.shape))
    return FieldInvalid(
        f"{field} must be {dtype} of shape ({wanted}), not {array.dtype} of shape ({found})",
        field=field,
    )
