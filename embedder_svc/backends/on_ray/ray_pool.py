"""Actors on an existing Ray cluster.

Every node needs Level's extras ``embedder`` and ``ray``, for models on sentence-transformers
``torch`` too, in the version of this process; a model that is a folder must be there on each.

Ray ends the actors of a driver that is gone: nothing is left behind when this process is killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import ray
from ray.exceptions import GetTimeoutError, OutOfMemoryError, RayError, RayTaskError

from embedder_svc.backends.on_ray.actor_pool import ActorPool
from embedder_svc.backends.on_ray.actors import ActorDied, ActorPlan, LoadModel
from embedder_svc.backends.on_ray.replica import Replica
from embedder_svc.errors import ModelNotLoaded, OutOfMemory
from embedder_svc.model import ModelInfo
from level_rpc.errors import LevelError

AUTO = "auto"
_CONNECT_SECONDS = 5.0
_CHECK_SECONDS = 10.0


def open_ray_pool(
    load: LoadModel,
    *,
    model: str,
    address: str,
    actor_count: int = 0,
    thread_count: int = 0,
    may_use_gpu: bool = True,
) -> ActorPool:
    """Return the model on a Ray cluster.

    Parameters
    ----------
    load, model, actor_count, thread_count, may_use_gpu
        As for `ActorPool`.
    address
        As for `RayCluster`.

    Raises
    ------
    ModelNotLoaded
        As for `ActorPool`.
    """
    return ActorPool(
        RayCluster(address, model),
        load,
        model=model,
        actor_count=actor_count,
        thread_count=thread_count,
        may_use_gpu=may_use_gpu,
    )


class RayCluster:
    """Implements `Cluster`.

    Parameters
    ----------
    address
        ``host:port`` of the cluster that this machine is a node of, ``ray://host:port`` of the
        client server of any cluster, or ``auto`` for the cluster that runs on this machine.
    model
        What errors call the model.
    """

    def __init__(self, address: str, model: str) -> None:
        self._address = address
        self._model = model

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"the Ray cluster at {self._address}"

    def connect(self) -> None:
        """Connect unless that is so; raise ModelNotLoaded when it does not answer."""
        if ray.is_initialized():
            return
        if self._address != AUTO and not self.answers():
            raise self._not_loaded("does not answer")
        # Level reports nothing to anyone.
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        try:
            with _kept_signal_handlers():
                ray.init(
                    address=self._address,
                    namespace="level",
                    log_to_driver=False,
                    configure_logging=False,
                )
        except (RayError, ConnectionError, RuntimeError, ValueError) as error:
            raise self._not_loaded("does not answer as Ray does") from error

    def disconnect(self) -> None:
        """Let go of the cluster, which ends all actors; no call may be under way."""
        with contextlib.suppress(Exception):
            ray.shutdown()

    def answers(self) -> bool:
        """Return whether somebody listens at the address; Ray itself would try for minutes."""
        try:
            socket.create_connection(self._endpoint(), timeout=_CONNECT_SECONDS).close()
        except (OSError, ValueError):
            return False
        return True

    def nodes(self) -> list[Mapping[str, float]]:
        """Return what each node has in all: "CPU" and "GPU" count."""
        return [node["Resources"] for node in ray.nodes() if node["Alive"]]

    def start(self, load: LoadModel, plan: ActorPlan) -> _RayActor:
        """Return an actor that will load as soon as a node has room for it."""
        actor = ray.remote(Replica).options(
            num_cpus=plan.cores,
            num_gpus=plan.gpus,
            # A call for each batch that computes, as many that wait, and some for texts.
            max_concurrency=2 * max(plan.cores, 2) + 4,
            max_restarts=0,
            scheduling_strategy="SPREAD",
        )
        threads = 0 if plan.gpus else plan.cores
        return _RayActor(actor.remote(partial(load, threads=threads)), self, self._model)

    def _endpoint(self) -> tuple[str, int]:
        address = self._address
        if address == AUTO:
            address = ray.get_runtime_context().gcs_address
        parts = urlsplit(address if "://" in address else f"//{address}")
        return parts.hostname or "", parts.port or 0

    def _not_loaded(self, what: str) -> ModelNotLoaded:
        return ModelNotLoaded(
            self._model,
            f"{self.name} {what}; check LEVEL_EMBEDDER_RAY_ADDRESS and that the cluster runs, or"
            " leave the setting empty to embed on this machine",
        )


class _RayActor:
    """Implements `Actor`."""

    def __init__(self, handle: Any, cluster: RayCluster, model: str) -> None:
        self._handle = handle
        self._cluster = cluster
        self._model = model
        self._loading = handle.load.remote(version("level"))

    def loaded(self) -> ModelInfo | None:
        """Return what it has loaded, None while it does; raise ModelNotLoaded if it cannot."""
        try:
            if not ray.wait([self._loading], timeout=0)[0]:
                return None
            info: ModelInfo = ray.get(self._loading)
        except RayError as error:
            if isinstance(cause := getattr(error, "cause", None), LevelError):
                raise cause from None
            problem = f"an actor on {self._cluster.name} ended while it loaded; see that each node"
            problem += " has the same version of level[embedder,ray], and memory"
            raise ModelNotLoaded(self._model, problem) from error
        return info

    def call(self, method: str, argument: object) -> Any:
        """Return what a method of the replica returns, or raise what it raises, or ActorDied."""
        try:
            return self._wait_for(getattr(self._handle, method).remote(argument))
        except RayTaskError as error:
            raise error.cause from None
        except OutOfMemoryError as error:
            # Ray has ended the actor before its node ran out of memory: less may fit the next.
            raise OutOfMemory from error
        # Besides its own errors, Ray raises bare ones once its client is cut off.
        except Exception as error:
            raise ActorDied from error

    def kill(self) -> None:
        """End it, dead or alive."""
        with contextlib.suppress(Exception):
            ray.kill(self._handle)

    def _wait_for(self, reference: Any) -> Any:
        while True:
            try:
                return ray.get(reference, timeout=_CHECK_SECONDS)
            except GetTimeoutError:
                if not self._cluster.answers():
                    raise


@contextlib.contextmanager
def _kept_signal_handlers() -> Iterator[None]:
    """Undo what Ray does to this process's handling of being stopped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
