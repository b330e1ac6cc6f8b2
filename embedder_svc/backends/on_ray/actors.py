"""Actors that each hold a model, and the cluster they run on: what a pool of them needs of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from embedder_svc.errors import ModelNotLoaded
from embedder_svc.model import EmbeddingModel, ModelInfo

ACTOR_CORES = 4
"""Cores of an actor without a GPU, where not said: few enough to find room beside other work."""


class ActorDied(Exception):
    """The process that was to answer is gone."""


class LoadModel(Protocol):
    """What loads the model on a node; it is carried there, so it is a function of a module."""

    def __call__(self, *, threads: int) -> EmbeddingModel:
        """Return the model, computing with so many threads; 0: all that there are."""
        ...


class Actor(Protocol):
    """A `Replica` somewhere."""

    def loaded(self) -> ModelInfo | None:
        """Return what it has loaded, None while it does; raise ModelNotLoaded if it cannot."""
        ...

    def call(self, method: str, argument: object) -> Any:
        """Return what a method of the replica returns, or raise what it raises, or ActorDied."""
        ...

    def kill(self) -> None:
        """End it, dead or alive."""
        ...


class Cluster(Protocol):
    """Where actors run."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def connect(self) -> None:
        """Connect unless that is so; raise ModelNotLoaded when it does not answer."""
        ...

    def disconnect(self) -> None:
        """Let go of it, which ends all actors."""
        ...

    def answers(self) -> bool:
        """Return whether it can be reached."""
        ...

    def nodes(self) -> list[Mapping[str, float]]:
        """Return what each node has in all: "CPU" and "GPU" count."""
        ...

    def start(self, load: LoadModel, plan: ActorPlan) -> Actor:
        """Return an actor that will load as soon as a node has room for it."""
        ...


@dataclass(frozen=True)
class ActorPlan:
    """How a cluster is used.

    Parameters
    ----------
    actor_count
        At least 1.
    cores
        Of each actor.
    gpus
        Of each actor, 0 or 1.
    """

    actor_count: int
    cores: int
    gpus: int = 0


def plan_actors(
    nodes: Sequence[Mapping[str, float]],
    *,
    model: str,
    actor_count: int = 0,
    cores: int = 0,
    may_use_gpu: bool = True,
) -> ActorPlan:
    """Return how nodes with these resources are used.

    Parameters
    ----------
    nodes
        From `Cluster.nodes`.
    model
        What the error calls the model.
    actor_count, cores, may_use_gpu
        As for `ActorPool`.

    Raises
    ------
    ModelNotLoaded
        No node has so many cores.
    """
    gpu_count = sum(int(node.get("GPU", 0)) for node in nodes)
    if may_use_gpu and gpu_count:
        return ActorPlan(actor_count or gpu_count, cores=1, gpus=1)
    core_counts = [int(node["CPU"]) for node in nodes if node.get("CPU", 0) >= 1]
    cores = cores or min([ACTOR_CORES, *core_counts])
    room = sum(count // cores for count in core_counts)
    if not room:
        problem = f"no node of the cluster has {cores} cores; set LEVEL_EMBEDDER_THREADS to fewer"
        raise ModelNotLoaded(model, problem)
    return ActorPlan(actor_count or room, cores)
