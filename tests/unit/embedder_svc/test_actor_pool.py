"""The pool of actors on a cluster that lives in this process; tests of Ray are beside."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder_svc.backends.on_ray.actor_pool import ActorPool, Patience
from embedder_svc.backends.on_ray.actors import ActorDied, plan_actors
from embedder_svc.backends.on_ray.replica import Replica
from embedder_svc.embedding import embed_texts
from embedder_svc.errors import ModelNotLoaded, OutOfMemory
from level_rpc.errors import Unavailable

QUICK = Patience(first=0.3, others=0.2, replacement=0.3, watch=0.02)
TEXTS = [f"my card {number} is late" for number in range(60)]


class HereActor:
    """Runs a replica in this process, and dies on demand."""

    def __init__(self, cluster, load):
        self._cluster = cluster
        self._replica = Replica(load)
        self.is_dead = False
        self.calls = 0
        self._has_met = False

    def loaded(self):
        if not self._cluster.has_room:
            return None
        info = self._replica.load(self._cluster.level_version)
        return replace(info, fingerprint=self._cluster.fingerprints.pop(0, info.fingerprint))

    def call(self, method, argument):
        self.calls += 1
        if method == "encode" and self._cluster.meeting and not self._has_met:
            self._has_met = True
            self._cluster.meeting.wait(timeout=30)
        if self.calls > self._cluster.calls_of_a_life:
            self.is_dead = True
        if self.is_dead or self._cluster.is_gone:
            raise ActorDied
        return getattr(self._replica, method)(argument)

    def kill(self):
        self.is_dead = True


class Prepared(list):
    def pop(self, index, default):
        return super().pop(index) if self else default


class HereCluster:
    """Implements `Cluster` for one that has two nodes of one core."""

    name = "the cluster in this process"

    def __init__(self, level_version):
        self.level_version = level_version
        self.has_room = True
        self.is_gone = False
        self.is_connected = False
        self.calls_of_a_life = 10**9
        self.fingerprints = Prepared()
        self.actors = []
        self.meeting = None  # where every actor waits for the others in its first batch

    def connect(self):
        if self.is_gone:
            raise ModelNotLoaded("tiny", "nobody answers")
        self.is_connected = True

    def disconnect(self):
        self.is_connected = False

    def answers(self):
        return not self.is_gone

    def nodes(self):
        return [{"CPU": 1.0}, {"CPU": 1.0, "memory": 2.0}]

    def start(self, load, plan):
        assert self.is_connected
        self.actors.append(HereActor(self, lambda: load(threads=plan.cores)))
        return self.actors[-1]


@pytest.fixture
def cluster():
    from importlib.metadata import version

    return HereCluster(version("level"))


@pytest.fixture
def open_pool(cluster, tiny):
    pools = []

    def open_it(load=lambda *, threads: tiny, patience=QUICK, **options):
        pools.append(ActorPool(cluster, load, model="tiny", patience=patience, **options))
        return pools[-1]

    yield open_it
    for pool in pools:
        pool.close()


def test_vectors_are_the_local_ones_and_every_actor_works(open_pool, cluster, tiny):
    pool = open_pool()
    cluster.meeting = threading.Barrier(2)
    there, here = embed_texts(pool, TEXTS, batch_size=4), embed_texts(tiny, TEXTS, batch_size=4)
    assert there.vectors.tobytes() == here.vectors.tobytes()
    assert there.vectors.flags.writeable
    assert len(cluster.actors) == 2
    assert all(actor.calls for actor in cluster.actors)


def test_the_info_is_of_the_whole_pool(open_pool, tiny):
    info = open_pool().info
    assert info.device == "ray: 2 x cpu"
    assert info.parallel_batch_count == 4 * tiny.info.parallel_batch_count
    assert info.fingerprint == tiny.info.fingerprint
    assert "2 actors on the cluster in this process" in info.choice_reason


def test_batches_of_dead_actors_are_sent_to_others(open_pool, cluster, tiny):
    pool = open_pool()
    cluster.calls_of_a_life = 5
    there = embed_texts(pool, TEXTS, batch_size=2)
    assert there.vectors.tobytes() == embed_texts(tiny, TEXTS, batch_size=2).vectors.tobytes()
    assert len(cluster.actors) > 2
    assert sum(not actor.is_dead for actor in cluster.actors) == 2


def test_a_batch_that_ends_every_actor_is_given_up(open_pool, cluster):
    pool = open_pool()
    cluster.calls_of_a_life = 0
    with pytest.raises(Unavailable, match="lost 3 actors in a row"):
        pool.tokenise(["hello"])


def test_without_an_actor_left_the_error_says_so(open_pool, cluster):
    pool = open_pool()
    cluster.has_room = False
    cluster.calls_of_a_life = 0
    with pytest.raises(Unavailable, match="has no actor left"):
        pool.tokenise(["hello"])


def test_a_lost_cluster_is_said_and_used_again_once_it_is_back(open_pool, cluster):
    pool = open_pool()
    before = pool.tokenise(["hello"])
    cluster.is_gone = True
    for _ in range(2):
        with pytest.raises(Unavailable, match="answer"):
            pool.tokenise(["hello"])
    assert not cluster.is_connected
    cluster.is_gone = False
    assert pool.tokenise(["hello"]) == before


def test_a_cluster_that_went_unnoticed_is_let_go_of(open_pool, cluster):
    gone = threading.Event()
    disconnect = cluster.disconnect
    cluster.disconnect = lambda: (disconnect(), gone.set())
    open_pool()
    cluster.is_gone = True
    assert gone.wait(10)


def test_a_cluster_that_comes_back_with_another_model_is_refused(open_pool, cluster):
    pool = open_pool()
    cluster.is_gone = True
    with pytest.raises(Unavailable):
        pool.tokenise(["hello"])
    cluster.is_gone = False
    cluster.fingerprints += ["another", "another"]
    with pytest.raises(Unavailable, match="another"):
        pool.tokenise(["hello"])
    assert pool.tokenise(["hello"])


def test_different_models_are_refused_at_the_start(open_pool, cluster):
    cluster.fingerprints += ["one", "two"]
    with pytest.raises(ModelNotLoaded, match="one, two"):
        open_pool()
    assert not cluster.is_connected


def test_a_replacement_with_another_model_does_not_join(open_pool, cluster):
    pool = open_pool()
    cluster.fingerprints += ["another"]
    cluster.actors[0].is_dead = True
    assert all(pool.tokenise([text]) for text in TEXTS)
    assert [actor.is_dead for actor in cluster.actors] == [True, False, True]


def test_a_node_that_cannot_load_says_why(open_pool, cluster):
    def load(*, threads):
        raise ModelNotLoaded("tiny", "there is no such folder")

    with pytest.raises(ModelNotLoaded, match="no such folder"):
        open_pool(load)
    assert not cluster.is_connected


def test_nodes_with_another_version_are_refused(open_pool, cluster):
    cluster.level_version = "0.0.0"
    with pytest.raises(ModelNotLoaded, match=r"the embedder 0\.0\.0"):
        open_pool()


def test_a_full_cluster_is_a_clear_error(open_pool, cluster):
    cluster.has_room = False
    with pytest.raises(ModelNotLoaded, match="no room for an actor of 1 cores"):
        open_pool()


def test_out_of_memory_travels_back(open_pool, tiny):
    class Small:
        info = tiny.info
        tokenise = tiny.tokenise

        def encode(self, batch):
            if len(batch) > 8:
                raise OutOfMemory
            return tiny.encode(batch)

    pool = open_pool(lambda *, threads: Small())
    tokens = [text.token_ids for text in pool.tokenise(TEXTS)]
    with pytest.raises(OutOfMemory):
        pool.encode(tokens)
    there, here = embed_texts(pool, TEXTS), embed_texts(tiny, TEXTS, batch_size=8)
    assert np.allclose(there.vectors, here.vectors, atol=1e-6)


def test_no_more_batches_run_at_once_than_the_model_takes(tiny):
    from importlib.metadata import version

    running, most = threading.Semaphore(tiny.info.parallel_batch_count), []

    class Counting:
        info = tiny.info

        def encode(self, batch):
            most.append(running.acquire(blocking=False))
            result = tiny.encode(batch)
            running.release()
            return result

    from embedder_svc.backends.on_ray.token_blocks import pack_tokens

    replica = Replica(Counting)
    replica.load(version("level"))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(replica.encode, [pack_tokens([[2, 5, 3]])] * 40))
    assert len(most) == 40 and all(most)


nodes = st.lists(
    st.fixed_dictionaries(
        {}, optional={"CPU": st.integers(0, 64).map(float), "GPU": st.integers(0, 8).map(float)}
    ),
    max_size=6,
)


@given(nodes, st.integers(0, 8), st.booleans())
def test_a_plan_fits_the_cluster(nodes, cores, may_use_gpu):
    gpu_count = sum(node.get("GPU", 0) for node in nodes)
    try:
        plan = plan_actors(nodes, model="tiny", cores=cores, may_use_gpu=may_use_gpu)
    except ModelNotLoaded:
        assert all(node.get("CPU", 0) < max(cores, 1) for node in nodes)
        return
    assert plan.gpus == (may_use_gpu and gpu_count > 0)
    if plan.gpus:
        assert plan.actor_count == gpu_count
        return
    assert plan.cores == cores or (not cores and 1 <= plan.cores <= 4)
    assert plan.actor_count == sum(node.get("CPU", 0) // plan.cores for node in nodes)


def test_as_many_actors_as_asked_for():
    assert plan_actors([{"CPU": 8.0}], model="tiny", actor_count=7).actor_count == 7
    assert plan_actors([{"GPU": 2.0}], model="tiny", actor_count=1).actor_count == 1
