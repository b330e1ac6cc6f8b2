"""What goes to the compute process and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cluster_svc.algorithms.specification import Value
from cluster_svc.clusters import Clustering, Stage
from cluster_svc.graph import NeighborGraph
from cluster_svc.vectors import FloatArray
from level_rpc.errors import LevelError


@dataclass(frozen=True)
class ClusterJob:
    """Arguments of `run_clustering`; the vectors come by shared memory."""

    shape: tuple[int, int]
    algorithm: str
    parameters: Mapping[str, Value]
    seed: int
    neighbor_count: int
    exemplar_count: int
    default_eps: float
    graph: NeighborGraph | None


@dataclass(frozen=True)
class LayOutJob:
    """Arguments of `lay_out`."""

    graph: NeighborGraph
    seed: int
    start: FloatArray | None


@dataclass(frozen=True)
class Progressed:
    """How far a job is: the stage, and the fraction of the whole job from 0 to 1."""

    stage: Stage
    fraction: float


@dataclass(frozen=True)
class GraphBuilt:
    """The neighbour graph, as soon as it exists."""

    graph: NeighborGraph


@dataclass(frozen=True)
class Clustered:
    """The end of a ClusterJob."""

    clustering: Clustering


@dataclass(frozen=True)
class LaidOut:
    """The end of a LayOutJob: float32 positions of shape (rows, 2)."""

    positions: FloatArray


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


Job = ClusterJob | LayOutJob
Event = Progressed | GraphBuilt | Clustered | LaidOut | Failed
