import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from cluster_svc.errors import EngineUnavailable
from cluster_svc.graph import build_graph
from cluster_svc.neighbors.engines import choose_search

pytestmark = pytest.mark.ray

ray = pytest.importorskip("ray", reason="the extra ray is not installed, or not to be had here")

WORKERS = 2
PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def address():
    """The address of a cluster of two nodes of one core each, on this machine."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=WORKERS - 1)
    yield cluster.address
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def search(address):
    return choose_search(engine="ray", ray_address=address)


def vectors_of(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, 24)).astype(np.float32)


def test_the_graph_is_the_local_one_to_the_last_bit(search):
    vectors = vectors_of(5_000)
    vectors[7] = vectors[3]
    vectors[9] = 0
    there, here = build_graph(vectors, search=search), build_graph(vectors)
    assert np.array_equal(there.indices, here.indices)
    assert there.distances.tobytes() == here.distances.tobytes()


def test_the_search_is_exact_where_the_local_one_is_not(search, monkeypatch):
    vectors = vectors_of(3_000)
    here = build_graph(vectors)
    monkeypatch.setattr("cluster_svc.neighbors.search.EXACT_NODE_LIMIT", 100)
    there = build_graph(vectors, search=search)
    # Nodes are numbered otherwise where there are many, and equal distances go by number.
    assert np.array_equal(neighbor_rows(there), neighbor_rows(here))
    distances = [graph.distances[graph.node_of_row] for graph in (there, here)]
    assert distances[0].tobytes() == distances[1].tobytes()


def neighbor_rows(graph):
    return np.sort(graph.first_rows[graph.indices][graph.node_of_row], axis=1)


def test_every_finished_block_is_reported(search):
    fractions = []
    build_graph(vectors_of(5_000), search=search, report=fractions.append)
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert len(fractions) > 2


def test_nodes_with_another_version_are_a_clear_error(search, monkeypatch):
    monkeypatch.setattr("cluster_svc.neighbors.ray_search.version", lambda package: "0.0.0")
    with pytest.raises(EngineUnavailable, match="same version"):
        build_graph(vectors_of(500), search=search)


def test_signals_are_handled_as_before(search):
    before = signal.getsignal(signal.SIGTERM)
    build_graph(vectors_of(500), search=search)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("wrong", ["127.0.0.1:1", "ray://127.0.0.1:1", "no port", "127.0.0.1:x"])
def test_no_cluster_is_a_clear_error(wrong):
    ray.shutdown()
    search = choose_search(engine="ray", ray_address=wrong)
    with pytest.raises(EngineUnavailable, match="LEVEL_CLUSTER_RAY_ADDRESS") as raised:
        build_graph(vectors_of(50), search=search)
    assert raised.value.metadata["address"] == wrong


def test_tasks_end_with_a_process_that_is_killed(address):
    ray.shutdown()
    program = textwrap.dedent(f"""
        import numpy as np
        from cluster_svc.neighbors.engines import choose_search
        search = choose_search(engine="ray", ray_address={address!r})
        vectors = np.random.default_rng(0).standard_normal((100_000, 64)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        search(vectors, 15, report=lambda fraction: print(fraction, flush=True))
    """)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert 0 < float(process.stdout.readline()) < 1
    process.kill()
    process.wait()
    ray.init(address=address, log_to_driver=False)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while ray.available_resources().get("CPU", 0) < WORKERS:
        assert time.monotonic() < deadline, "the tasks of a killed process go on"
        time.sleep(0.2)
    ray.shutdown()
