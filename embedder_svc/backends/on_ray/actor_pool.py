"""A model on a cluster's actors, each of which holds it and takes batches as it is free.

An actor loads what this process would load and computes with the same code, so a batch gets the
same vectors to the last bit where processors and installed versions are the same. Texts are
tokenised there too: this process needs neither the model's files nor the library that runs it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from embedder_svc.backends.on_ray.actors import Actor, ActorDied, Cluster, LoadModel, plan_actors
from embedder_svc.backends.on_ray.replica import check_same, combined_info
from embedder_svc.backends.on_ray.token_blocks import pack_tokens, unpack_texts
from embedder_svc.errors import ModelNotLoaded
from embedder_svc.model import ModelInfo, TokenisedText
from level_rpc.errors import LevelError, Unavailable

# A batch that ended so many actors would end the next ones too.
_DEATHS_OF_A_BATCH = 3
_POLL_SECONDS = 0.05
_RETRY_SECONDS = 10.0
# Ray ends a process whose cluster has not answered for 60 s.
_MISSES = 3

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Patience:
    """How long is waited, in seconds.

    Parameters
    ----------
    first
        For the first actor to find room and to load; it may have to fetch the model.
    others
        How much longer for the others, before work begins without them.
    replacement
        By a batch, for an actor, where all have died.
    watch
        Between two looks at whether the cluster is still there.
    """

    first: float = 600.0
    others: float = 30.0
    replacement: float = 60.0
    watch: float = 10.0


@dataclass(eq=False)
class _Place:
    """Where an actor works; it has no actor while a new attempt is due later."""

    actor: Actor | None = None
    info: ModelInfo | None = None
    in_flight: int = 0
    retry_at: float = 0.0

    @property
    def load(self) -> float:
        """Batches under way for each that the actor computes at once; infinite without one."""
        return self.in_flight / self.info.parallel_batch_count if self.info else float("inf")


class ActorPool:
    """Implements `EmbeddingModel`; a cluster that was lost is used again once it is back.

    Parameters
    ----------
    cluster
        Where the actors run.
    load
        As for `LoadModel`.
    model
        What errors call the model.
    actor_count
        0: one for each GPU; where there is none, as many as the cluster's cores allow.
    thread_count
        Cores of each actor without a GPU; 0: four, or as many as the smallest node has.
    may_use_gpu
        False for models that only run on a CPU.
    patience
        How long is waited for what.

    Raises
    ------
    ModelNotLoaded
        The cluster does not answer or has no room, a node cannot load the model, or two have
        loaded different ones.
    """

    def __init__(
        self,
        cluster: Cluster,
        load: LoadModel,
        *,
        model: str,
        actor_count: int = 0,
        thread_count: int = 0,
        may_use_gpu: bool = True,
        patience: Patience | None = None,
    ) -> None:
        self._cluster = cluster
        self._load = load
        self._model = model
        self._make_plan = partial(
            plan_actors,
            model=model,
            actor_count=actor_count,
            cores=thread_count,
            may_use_gpu=may_use_gpu,
        )
        self._patience = patience or Patience()
        self._lock = threading.RLock()
        self._places: list[_Place] = []
        self._is_lost = False
        self._closed = threading.Event()
        self.info = combined_info(self._open(self._patience.first), cluster.name)
        threading.Thread(target=self._watch, name="cluster-watch", daemon=True).start()

    def tokenise(self, texts: Sequence[str]) -> list[TokenisedText]:
        """Return the tokens of each text, in order.

        Raises
        ------
        Unavailable
            The cluster or all of its actors are lost.
        """
        return unpack_texts(self._call("tokenise", list(texts)))

    def encode(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return the unit vectors of token ids, float32 of shape (len(batch), dimension_count).

        A batch whose actor died is sent to another.

        Raises
        ------
        OutOfMemory
            The actor's device has no room for this batch.
        Unavailable
            The cluster or all of its actors are lost.
        """
        # What comes out of a cluster's shared memory cannot be written to.
        return np.array(self._call("encode", pack_tokens(batch)), dtype=np.float32)

    def close(self) -> None:
        """Let go of the cluster, which ends the actors."""
        self._closed.set()
        self._lose()

    def _call(self, method: str, argument: object) -> Any:
        for _ in range(_DEATHS_OF_A_BATCH):
            place, actor = self._take()
            try:
                return actor.call(method, argument)
            except ActorDied:
                self._replace_or_lose(place, actor)
            finally:
                self._give_back(place)
        raise self._unavailable(f"lost {_DEATHS_OF_A_BATCH} actors in a row")

    def _take(self) -> tuple[_Place, Actor]:
        """Return the actor with the least to do for its size."""
        deadline = time.monotonic() + self._patience.replacement
        while True:
            with self._lock:
                self._reopen_if_disconnected()
                self._fill_places()
                place = min(self._places, key=lambda place: place.load)
                if place.info and place.actor:
                    place.in_flight += 1
                    return place, place.actor
            if time.monotonic() > deadline:
                raise self._unavailable("has no actor left")
            time.sleep(_POLL_SECONDS)

    def _give_back(self, place: _Place) -> None:
        with self._lock:
            place.in_flight -= 1
            self._disconnect_if_lost()

    def _replace_or_lose(self, place: _Place, actor: Actor) -> None:
        """Start another actor in the place of one that died, if the cluster is still there."""
        if self._is_lost or not self._cluster.answers():
            self._lose()
            raise self._unavailable("does not answer any more")
        with self._lock:
            if place.actor is actor and place in self._places:
                _log.warning("an actor died and is replaced", cluster=self._cluster.name)
                actor.kill()
                place.actor, place.info, place.retry_at = None, None, 0.0

    def _fill_places(self) -> None:
        for place in self._places:
            if place.actor is None and time.monotonic() >= place.retry_at:
                place.actor = self._cluster.start(self._load, self._plan)
            if place.actor and not place.info:
                self._admit_if_loaded(place, place.actor)

    def _admit_if_loaded(self, place: _Place, actor: Actor) -> None:
        try:
            info = actor.loaded()
            check_same([self.info, info or self.info])
        except LevelError as error:
            _log.warning("an actor cannot join", problem=error.message)
            actor.kill()
            place.actor, place.retry_at = None, time.monotonic() + _RETRY_SECONDS
        else:
            place.info = info

    def _open(self, first_seconds: float, *known: ModelInfo) -> list[ModelInfo]:
        """Connect, start the actors, and return what they have loaded: what is known, if it is."""
        self._cluster.connect()
        try:
            self._plan = self._make_plan(self._cluster.nodes())
            actors = [
                self._cluster.start(self._load, self._plan) for _ in range(self._plan.actor_count)
            ]
            places = self._wait_for(actors, first_seconds)
            infos = [place.info for place in places if place.info]
            check_same([*known, *infos])
        except BaseException:
            self._cluster.disconnect()
            raise
        self._places = places
        return infos

    def _wait_for(self, actors: Sequence[Actor], first_seconds: float) -> list[_Place]:
        """Return the actors' places, once all have loaded or the last have had time to follow."""
        places = [_Place(actor, actor.loaded()) for actor in actors]
        deadline = time.monotonic() + first_seconds
        has_first = False
        while not all(place.info for place in places) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            for place in places:
                if place.actor and not place.info:
                    place.info = place.actor.loaded()
            if not has_first and any(place.info for place in places):
                has_first = True
                deadline = min(deadline, time.monotonic() + self._patience.others)
        if not any(place.info for place in places):
            problem = f"{self._cluster.name} had no room for an actor of {self._plan.cores} cores"
            raise ModelNotLoaded(
                self._model,
                f"{problem} within {first_seconds:g} s; see what it is busy with",
            )
        return places

    def _reopen_if_disconnected(self) -> None:
        if self._is_lost or self._closed.is_set():
            raise self._unavailable("is not connected")
        if self._places:
            return
        try:
            self._open(self._patience.replacement, self.info)
        except ModelNotLoaded as error:
            raise Unavailable(error.message) from error

    def _watch(self) -> None:
        """Let go of a cluster that has gone while nobody asked."""
        misses = 0
        while not self._closed.wait(self._patience.watch):
            misses = misses + 1 if self._places and not self._cluster.answers() else 0
            if misses == _MISSES:
                self._lose()

    def _lose(self) -> None:
        with self._lock:
            self._is_lost = bool(self._places)
            self._disconnect_if_lost()

    def _disconnect_if_lost(self) -> None:
        """Disconnect once no call is under way, since calls hold on to the connection."""
        if self._is_lost and not any(place.in_flight for place in self._places):
            self._places, self._is_lost = [], False
            self._cluster.disconnect()

    def _unavailable(self, what: str) -> Unavailable:
        return Unavailable(f"{self._cluster.name} {what}; see whether it runs, then try again")
