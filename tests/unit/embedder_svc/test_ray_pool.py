import os
import signal
import subprocess
import sys
import textwrap
import time
from functools import partial

import pytest

from embedder_svc.embedding import embed_texts
from embedder_svc.errors import ModelNotLoaded, OutOfMemory
from embedder_svc.loading import load_model, load_model_on_ray
from embedder_svc.model import Backend
from level_rpc.errors import Unavailable

pytestmark = pytest.mark.ray

ray = pytest.importorskip("ray", reason="the extra ray is not installed, or not to be had here")

WORKERS = 2
PATIENCE_SECONDS = 60.0
TEXTS = [f"my card {number} is late {'the refund ' * (number % 20)}" for number in range(400)]


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two nodes of one core each, on this machine."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=WORKERS - 1)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="module")
def load(tiny_folder, cache_dir):
    return partial(load_model, str(tiny_folder), backend=Backend.ONNX, cache_dir=cache_dir)


@pytest.fixture
def open_pool(cluster, load):
    pools = []

    def open_it(load=load, address=cluster.address):
        pools.append(load_model_on_ray(load, model="tiny", backend="onnxruntime", address=address))
        return pools[-1]

    yield open_it
    for pool in pools:
        pool.close()


def test_vectors_are_the_local_ones_to_the_last_bit(open_pool, tiny):
    pool = open_pool()
    assert pool.info.device == f"ray: {WORKERS} x cpu"
    there, here = embed_texts(pool, TEXTS), embed_texts(tiny, TEXTS)
    assert there.vectors.tobytes() == here.vectors.tobytes()
    assert there.truncated_count == here.truncated_count > 0


def test_an_actor_killed_on_the_way_costs_no_row(open_pool, load, tiny, tmp_path):
    def load_and_tell(*, threads):
        (tmp_path / str(os.getpid())).touch()
        return load(threads=threads)

    def processes():
        return [int(path.name) for path in tmp_path.iterdir()]

    pool = open_pool(load_and_tell)
    expected = embed_texts(tiny, TEXTS, batch_size=2)
    before = processes()
    assert len(before) == WORKERS
    calls = 0

    class Killing:
        info, tokenise = pool.info, pool.tokenise

        def encode(self, batch):
            nonlocal calls
            calls += 1
            if calls == 20:
                os.kill(before[0], signal.SIGKILL)
            return pool.encode(batch)

    there = embed_texts(Killing(), TEXTS, batch_size=2)
    assert there.vectors.tobytes() == expected.vectors.tobytes()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(processes()) == WORKERS:
        assert time.monotonic() < deadline, "the actor that died is not replaced"
        time.sleep(0.2)


def test_errors_of_an_actor_come_back_as_they_are(open_pool, load):
    def load_small(*, threads):
        model = load(threads=threads)

        class Small:
            info, tokenise = model.info, model.tokenise

            def encode(self, batch):
                raise OutOfMemory

        return Small()

    pool = open_pool(load_small)
    with pytest.raises(OutOfMemory) as raised:
        pool.encode([[2, 5, 3]])
    assert type(raised.value) is OutOfMemory


def test_a_node_that_cannot_load_says_why(open_pool):
    with pytest.raises(ModelNotLoaded, match="there is no such folder"):
        open_pool(partial(load_model, "/no/such/folder"))
    assert not ray.is_initialized()


def test_a_node_that_fails_in_a_way_of_its_own_is_a_clear_error(open_pool):
    def load_nothing(*, threads):
        raise ImportError("a library is missing")

    with pytest.raises(ModelNotLoaded, match="ended while it loaded"):
        open_pool(load_nothing)


def test_signals_are_handled_as_before(open_pool):
    before = signal.getsignal(signal.SIGTERM)
    open_pool()
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("wrong", ["127.0.0.1:1", "ray://127.0.0.1:1", "no port", "127.0.0.1:x"])
def test_no_cluster_is_a_clear_error(open_pool, wrong):
    with pytest.raises(ModelNotLoaded, match="LEVEL_EMBEDDER_RAY_ADDRESS"):
        open_pool(address=wrong)


def test_actors_end_with_a_process_that_is_killed(cluster, tiny_folder, cache_dir):
    process = holder(cluster.address, tiny_folder, cache_dir)
    assert process.stdout.readline().strip() == "ready"
    process.kill()
    process.wait()
    ray.init(address=cluster.address, log_to_driver=False)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while ray.available_resources().get("CPU", 0) < WORKERS:
        assert time.monotonic() < deadline, "the actors of a killed process go on"
        time.sleep(0.2)
    ray.shutdown()


def test_a_cluster_that_goes_is_unavailable_until_it_is_back(tiny_folder, cache_dir):
    from ray.cluster_utils import Cluster

    first = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    port = int(first.address.rpartition(":")[2])
    process = holder(first.address, tiny_folder, cache_dir)
    assert process.stdout.readline().strip() == "ready"
    first.shutdown()
    print("go", file=process.stdin, flush=True)
    assert process.stdout.readline().startswith(Unavailable.__name__)
    second = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "gcs_server_port": port})
    print("go", file=process.stdin, flush=True)
    assert process.stdout.readline().strip() == "ready"
    process.kill()
    process.wait()
    second.shutdown()


def holder(address, folder, cache_dir):
    """Return a process that embeds a text at the start, and another whenever it is told to."""
    program = textwrap.dedent(f"""
        import sys
        from functools import partial
        from pathlib import Path
        from embedder_svc.loading import load_model, load_model_on_ray
        cache = Path({str(cache_dir)!r})
        load = partial(load_model, {str(folder)!r}, backend="onnxruntime", cache_dir=cache)
        pool = load_model_on_ray(load, model="tiny", address={address!r})
        while True:
            try:
                pool.encode([pool.tokenise(["my card"])[0].token_ids])
                print("ready", flush=True)
            except Exception as error:
                print(type(error).__name__, error, flush=True)
            if not sys.stdin.readline():
                break
    """)
    command = [sys.executable, "-c", program]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
