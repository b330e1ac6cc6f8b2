"""What goes to the compute process and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster_svc.algorithms.specification import Value
from cluster_svc.assign_model import Assigned, AssignModel
from cluster_svc.cluster_layers import Clustering
from cluster_svc.exemplars import ExemplarKind
from cluster_svc.graph import NeighborGraph
from cluster_svc.progress import Progress
from cluster_svc.shared_array import SharedArray
from cluster_svc.vectors import FloatArray, IntArray
from level_rpc.errors import LevelError
from levelling.plans.picks import PickTask, Selection

Vectors = SharedArray | FloatArray
"""Of one row each; in memory that two processes share where a job goes to another one."""


def array_of(vectors: Vectors) -> FloatArray:
    """Return the vectors of a job, wherever they lie."""
    return vectors.array if isinstance(vectors, SharedArray) else vectors


@dataclass(frozen=True)
class ClusterJob:
    """Arguments of `run_clustering`."""

    vectors: Vectors
    algorithm: str
    parameters: Mapping[str, Value]
    seed: int
    neighbor_count: int
    exemplar_count: int
    exemplar_kind: ExemplarKind
    default_eps: float
    graph: NeighborGraph | None


@dataclass(frozen=True)
class LayOutJob:
    """Arguments of `lay_out`, and whether rough layouts are wanted on the way."""

    graph: NeighborGraph
    seed: int
    start: FloatArray | None
    labels: IntArray | None
    fixed: NDArray[np.bool_] | None
    wants_drafts: bool


@dataclass(frozen=True)
class AssignJob:
    """Arguments of `assign_rows`."""

    model: AssignModel
    vectors: Vectors


@dataclass(frozen=True)
class FindNearDuplicatesJob:
    """Arguments of `find_near_duplicates`."""

    graph: NeighborGraph
    max_distance: float
    text_keys: NDArray[np.int64] | None


@dataclass(frozen=True)
class SelectRowsJob:
    """Arguments of `select_rows`."""

    task: PickTask
    graph: NeighborGraph
    vectors: Vectors


@dataclass(frozen=True)
class GraphBuilt:
    """The neighbour graph, as soon as it exists."""

    graph: NeighborGraph


@dataclass(frozen=True)
class Clustered:
    """The end of a ClusterJob."""

    clustering: Clustering


@dataclass(frozen=True)
class LayoutDrafted:
    """A rough layout: float32 positions of shape (rows, 2)."""

    positions: FloatArray


@dataclass(frozen=True)
class LaidOut:
    """The end of a LayOutJob.

    Attributes
    ----------
    positions : float32 array of shape (rows, 2)
    neighbor_preservation : float
        See `neighbor_preservation`.
    own_hill_fraction : float or None
        See `own_hill_fraction`; None without labels or without a cluster.
    """

    positions: FloatArray
    neighbor_preservation: float
    own_hill_fraction: float | None


@dataclass(frozen=True)
class RowsAssigned:
    """The end of an AssignJob."""

    assigned: Assigned


@dataclass(frozen=True)
class NearDuplicatesFound:
    """The end of a FindNearDuplicatesJob: int32 groups of shape (rows,)."""

    groups: IntArray


@dataclass(frozen=True)
class RowsSelected:
    """The end of a SelectRowsJob."""

    selection: Selection


@dataclass(frozen=True)
class Failed:
    """The end of a job that raised an error meant for callers, or met one that it did not expect.

    Attributes
    ----------
    error
        None for an unexpected error.
    details : str
        The traceback of an unexpected error, for the log only.
    """

    error: LevelError | None
    details: str = ""


Job = ClusterJob | LayOutJob | AssignJob | FindNearDuplicatesJob | SelectRowsJob
End = Clustered | LaidOut | RowsAssigned | NearDuplicatesFound | RowsSelected | Failed
Event = Progress | GraphBuilt | LayoutDrafted | End
