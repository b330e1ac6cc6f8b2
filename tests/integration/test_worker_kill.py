"""Real workers that are killed: what was accepted is finished, and nothing is done twice."""

import os
import signal
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from gateway.dataset import Status
from gateway.embedded_texts import BLOCKS
from tests.support.small_services import DIMENSIONS
from tests.support.worker_rig import wait_until, worker_rig

CALLS_OF_ONE_DATASET = {
    "Embed": 1,
    "Cluster": 1,
    "FindNearDuplicates": 1,
    "LayOut": 1,
    "AnalyzeClusters": 2,  # the terrain layer and a finer one
    "LanguageModel": 4,
    "BuildTerrain": 2,
}

FINISHED_BEFORE = {
    "Embed": (),
    "Cluster": ("Embed",),
    "FindNearDuplicates": ("Embed", "Cluster"),
    "AnalyzeClusters": ("Embed", "Cluster", "FindNearDuplicates"),
    "LanguageModel": ("Embed", "Cluster", "FindNearDuplicates"),
    "LayOut": ("Embed", "Cluster", "FindNearDuplicates", "AnalyzeClusters"),
    "BuildTerrain": ("Embed", "Cluster", "FindNearDuplicates", "AnalyzeClusters", "LayOut"),
}


@pytest.fixture
def rig(tmp_path):
    with worker_rig(tmp_path, LEVEL_SERVICE_PATIENCE_SECONDS="20") as rig:
        yield rig


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The results of a dataset that nothing happened to."""
    with worker_rig(tmp_path_factory.mktemp("undisturbed")) as rig:
        dataset_id = rig.add_dataset()
        rig.start_worker()
        assert rig.finish(dataset_id).status == Status.COMPLETED
        assert rig.calls() == CALLS_OF_ONE_DATASET
        return rig.results(dataset_id)


@pytest.mark.parametrize("rpc", FINISHED_BEFORE)
def test_a_worker_killed_in_any_stage_goes_on_after_its_start(rig, undisturbed, rpc):
    dataset_id = rig.add_dataset()
    rig.hold(rpc)
    worker = rig.start_worker()
    rig.wait_for_call(rpc)
    if rpc == "LayOut":  # naming goes on beside it
        wait_until(lambda: "names" in rig.store.get(dataset_id).artifacts)
    worker.kill()
    rig.release(rpc)
    rig.start_worker()
    dataset = rig.finish(dataset_id)
    assert (dataset.status, dataset.error) == (Status.COMPLETED, None)
    assert rig.results(dataset_id) == undisturbed
    calls = rig.calls()
    for name in FINISHED_BEFORE[rpc]:
        assert calls[name] == CALLS_OF_ONE_DATASET[name]
    assert calls[rpc] == 1 + CALLS_OF_ONE_DATASET[rpc]


def test_a_killed_embedding_goes_on_at_its_last_block(rig):
    rows = [f'{row},"topic{row % 4} message {row}"' for row in range(9_000)]
    source = "\n".join(["id,text", *rows]).encode()
    dataset_id = rig.add_dataset(source=source)
    rig.hold("Embed", after=6)
    worker = rig.start_worker()
    rig.wait_for_call("Embed", 8)
    wait_until(lambda: rig.store.get(dataset_id).progress == 35)
    worker.kill()
    rig.release("Embed")
    rig.start_worker()
    dataset = rig.finish(dataset_id)
    assert dataset.status == Status.COMPLETED
    # The two calls that were under way, and what one of them had overtaken.
    assert BLOCKS + 2 <= rig.calls()["Embed"] <= BLOCKS + 3
    vectors = rig.artifacts.open_array(dataset_id, dataset.artifacts["vectors"])
    assert vectors.shape == (9_000, DIMENSIONS)
    assert (np.linalg.norm(vectors, axis=1) > 0.99).all()
    left = sorted(path.name for path in rig.artifacts.dataset_dir(dataset_id).glob(".*"))
    assert left == []


def test_a_worker_killed_again_and_again_finishes(rig, undisturbed):
    dataset_id = rig.add_dataset()
    for rpc in ("Embed", "Cluster", "LayOut", "BuildTerrain"):
        rig.hold(rpc)
        worker = rig.start_worker()
        rig.wait_for_call(rpc, rig.calls()[rpc] + 1)
        worker.kill()
        rig.release(rpc)
    rig.start_worker()
    assert rig.finish(dataset_id).status == Status.COMPLETED
    assert rig.results(dataset_id) == undisturbed
    assert rig.calls()["Embed"] == rig.calls()["Cluster"] == 2


def test_a_job_accepted_while_no_worker_runs_is_done_later(rig, undisturbed):
    dataset_ids = [rig.add_dataset() for _ in range(3)]
    rig.start_worker()
    for dataset_id in dataset_ids:
        assert rig.finish(dataset_id).status == Status.COMPLETED
        assert rig.results(dataset_id) == undisturbed
    assert rig.calls() == {name: 3 * count for name, count in CALLS_OF_ONE_DATASET.items()}


def test_two_workers_do_no_stage_twice_and_one_takes_over_from_the_other(rig, undisturbed):
    workers = [rig.start_worker(), rig.start_worker()]
    for worker in workers:
        wait_until(lambda log=worker.log: "worker_ready" in log.read_text())
    first = [rig.add_dataset() for _ in range(4)]
    for dataset_id in first:
        assert rig.finish(dataset_id).status == Status.COMPLETED
    assert rig.calls() == {name: 4 * count for name, count in CALLS_OF_ONE_DATASET.items()}

    rig.hold("Cluster")
    second = rig.add_dataset()
    rig.wait_for_call("Cluster", 5)
    owner = workers[0] if _is_owned_by(rig, workers[0]) else workers[1]
    owner.kill()
    rig.release("Cluster")
    assert rig.finish(second).status == Status.COMPLETED
    assert rig.results(second) == undisturbed
    assert rig.calls()["Embed"] == 5


def test_a_worker_that_slept_and_wakes_spoils_nothing(rig):
    rows = [f'{row},"topic{row % 4} message {row}"' for row in range(9_000)]
    source = "\n".join(["id,text", *rows]).encode()
    workers = [rig.start_worker(), rig.start_worker()]
    first = rig.finish(rig.add_dataset(source=source))
    rig.hold("Embed", after=BLOCKS + 5)
    second = rig.add_dataset(source=source)
    rig.wait_for_call("Embed", BLOCKS + 7)
    slept, other = workers if _is_owned_by(rig, workers[0]) else reversed(workers)
    os.kill(slept.pid, signal.SIGSTOP)
    wait_until(lambda: "took_over" in other.log.read_text())
    rig.wait_for_call("Embed", BLOCKS + 8)
    os.kill(slept.pid, signal.SIGCONT)
    rig.release("Embed")
    assert rig.finish(second).status == Status.COMPLETED
    assert rig.results(second) == rig.results(first.dataset_id)
    assert rig.finish(rig.add_dataset()).status == Status.COMPLETED


def test_a_worker_that_is_asked_to_stop_leaves_at_once_and_the_next_goes_on(rig, undisturbed):
    dataset_id = rig.add_dataset()
    rig.hold("Cluster")
    worker = rig.start_worker()
    rig.wait_for_call("Cluster")
    assert worker.terminate(seconds=10) == 0
    assert rig.store.get(dataset_id).status == Status.PROCESSING
    log = worker.log.read_text()
    assert "Traceback" not in log and "error" not in log
    rig.release("Cluster")
    rig.start_worker()
    assert rig.finish(dataset_id).status == Status.COMPLETED
    assert rig.results(dataset_id) == undisturbed
    assert rig.calls()["Embed"] == 1


def test_the_workflow_database_is_safe(rig):
    dataset_id = rig.add_dataset()
    worker = rig.start_worker()
    rig.finish(dataset_id)
    rig.refuse("Embed", "no")
    rig.finish(rig.add_dataset())
    worker.terminate()
    with closing(sqlite3.connect(rig.data_dir / "workflows.sqlite")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        for table in ("workflow_status", "operation_outputs"):
            query = f"SELECT DISTINCT serialization FROM {table} WHERE serialization IS NOT NULL"
            assert connection.execute(query).fetchall() == [("portable_json",)]
        query = "SELECT DISTINCT application_version, executor_id FROM workflow_status"
        ((version, executor_id),) = connection.execute(query).fetchall()
        assert version == "1"
        assert executor_id.split("/")[1] == str(worker.pid)
        query = "SELECT status, workflow_uuid FROM workflow_status WHERE queue_name = 'build'"
        assert {row[0] for row in connection.execute(query)} == {"SUCCESS"}
    assert "console" not in worker.log.read_text()


def _is_owned_by(rig, worker):
    with closing(sqlite3.connect(rig.data_dir / "workflows.sqlite")) as connection:
        query = "SELECT executor_id FROM workflow_status WHERE status = 'PENDING'"
        ((executor_id,),) = connection.execute(query).fetchall()
        return executor_id.split("/")[1] == str(worker.pid)
