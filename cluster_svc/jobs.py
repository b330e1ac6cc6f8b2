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


@dataclass(frozen=True)
class ComputeOptions:
    """How the compute process works, whatever the job.

    Attributes
    ----------
    thread_count : int
        Threads that compute at once, at least 1.
    engine : str
        Where nearest neighbours are sought: ``local``, or ``ray``.
    ray_address : str
        Of the Ray cluster; empty for the one that runs on this machine.
    device : str
        What seeks them locally: ``auto``, ``cpu`` or ``cuda``.
    """

    thread_count: int = 1
    engine: str = "local"
    ray_address: str = ""
    device: str = "auto"


@dataclass(frozen=True)
class ClusterJob:
    """Arguments of `run_clustering`."""

    vectors: SharedArray
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
    vectors: SharedArray


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


Job = ClusterJob | LayOutJob | AssignJob
End = Clustered | LaidOut | RowsAssigned | Failed
Event = Progress | GraphBuilt | LayoutDrafted | End
