"""A dataset as balance sees it: how many rows of which weight each cluster has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from levelling.errors import InvalidGroup

NOISE_ID = -1
"""The cluster id of rows that are in no cluster."""


@dataclass(frozen=True, eq=False)
class Groups:
    """Rows that share a cluster and a weight, a group each; all that `measure` needs of a dataset.

    Parameters
    ----------
    cluster_ids : ndarray of shape (n_groups,), int64
        The cluster of each group, -1 for noise. A cluster may have several groups: its effective
        size is their sum.
    row_weights : ndarray of shape (n_groups,), float64
        The weight of each row of the group, finite and at least 0.
    row_counts : ndarray of shape (n_groups,), int64
        The rows of the group, at least 0.

    Raises
    ------
    InvalidGroup
        If the three differ in length, an id is below -1, or a weight or count is not allowed.
    """

    cluster_ids: NDArray[np.int64]
    row_weights: NDArray[np.float64]
    row_counts: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Refuse groups that no dataset can have."""
        if not self.cluster_ids.shape == self.row_weights.shape == self.row_counts.shape:
            raise InvalidGroup("groups need as many ids as weights and row counts")
        _refuse(self.cluster_ids < NOISE_ID, "cluster_id", "at least -1", self.cluster_ids)
        bad_weights = ~np.isfinite(self.row_weights) | (self.row_weights < 0)
        _refuse(bad_weights, "weight", "finite and at least 0", self.cluster_ids)
        _refuse(self.row_counts < 0, "row_count", "at least 0", self.cluster_ids)


def _refuse(
    bad: NDArray[np.bool_], field: str, allowed: str, cluster_ids: NDArray[np.int64]
) -> None:
    if bad.any():
        cluster_id = int(cluster_ids[int(bad.argmax())])
        message = f"the {field} of cluster {cluster_id} must be {allowed}"
        raise InvalidGroup(message, cluster_id=cluster_id, field=field)
