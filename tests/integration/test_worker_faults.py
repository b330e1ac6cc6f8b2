"""A real worker while services, the database or people get in its way."""

import sqlite3
from contextlib import closing
from functools import partial

import pytest

from gateway.dataset import Status
from gateway.errors import DatasetNotFound
from tests.support.worker_rig import REPOSITORY, Process, wait_until, worker_rig


@pytest.fixture
def rig(tmp_path):
    with worker_rig(tmp_path, LEVEL_SERVICE_PATIENCE_SECONDS="20") as rig:
        yield rig


@pytest.mark.parametrize(
    ("service", "rpc"),
    [("embedder", "Embed"), ("cluster", "Cluster"), ("analyzer", "LanguageModel")],
)
def test_a_service_killed_in_a_call_is_called_again(tmp_path, service, rpc):
    with worker_rig(tmp_path, separate=service, LEVEL_SERVICE_PATIENCE_SECONDS="20") as rig:
        dataset_id = rig.add_dataset()
        rig.hold(rpc)
        rig.start_worker()
        rig.wait_for_call(rpc)
        rig.separate.kill()
        rig.release(rpc)
        rig.separate.start()
        dataset = rig.finish(dataset_id)
        assert (dataset.status, dataset.error, dataset.warnings) == (Status.COMPLETED, None, ())
        assert rig.calls()["Embed"] == (2 if rpc == "Embed" else 1)


def test_without_an_analyzer_clusters_are_named_by_number(tmp_path):
    with worker_rig(tmp_path, separate="analyzer", LEVEL_SERVICE_PATIENCE_SECONDS="1") as rig:
        rig.separate.kill()
        dataset_id = rig.add_dataset()
        rig.start_worker()
        dataset = rig.finish(dataset_id)
        assert dataset.status == Status.COMPLETED
        (warning,) = dataset.warnings
        assert "named by number" in warning
        names = rig.artifacts.load_json(dataset_id, dataset.artifacts["names"])
        assert [(name["label"], name["label_source"]) for name in names] == [
            (f"Cluster {number}", "generic") for number in range(12)
        ]


def test_a_language_model_is_asked_no_more_than_once_about_a_cluster(tmp_path):
    with worker_rig(tmp_path, separate="analyzer", LEVEL_SERVICE_PATIENCE_SECONDS="20") as rig:
        dataset_id = rig.add_dataset()
        rig.hold("LanguageModel", after=2)
        rig.start_worker()
        wait_until(lambda: sum(name.llm_asked for name in _names(rig, dataset_id)) == 2)
        rig.separate.kill()
        rig.release("LanguageModel")
        rig.separate.start()
        assert rig.finish(dataset_id).status == Status.COMPLETED
        assert rig.calls()["LanguageModel"] == 3 + 2
        sources = {name.cluster_id: name.label_source for name in _names(rig, dataset_id)}
        assert {sources[cluster_id] for cluster_id in range(4)} == {"llm"}
        assert {sources[cluster_id] for cluster_id in range(4, 12)} == {"keywords"}


def test_a_refused_parameter_fails_the_dataset_with_its_message(rig):
    message = "eps is 3; it must be at most 2"
    rig.refuse("Cluster", message)
    dataset_id = rig.add_dataset()
    rig.start_worker()
    dataset = rig.finish(dataset_id)
    assert (dataset.status, dataset.error, dataset.stage) == (Status.FAILED, message, None)
    assert rig.calls()["Cluster"] == 1
    assert rig.jobs.unfinished() == []


def test_a_service_that_stays_away_fails_the_dataset_and_says_so(tmp_path):
    with worker_rig(tmp_path, separate="embedder", LEVEL_SERVICE_PATIENCE_SECONDS="1") as rig:
        rig.separate.kill()
        dataset_id = rig.add_dataset()
        rig.start_worker()
        dataset = rig.finish(dataset_id)
        assert dataset.status == Status.FAILED
        assert "reach" in dataset.error


@pytest.mark.parametrize("rpc", ["Embed", "Cluster", "LayOut"])
def test_a_dataset_deleted_meanwhile_leaves_nothing(rig, rpc):
    dataset_id = rig.add_dataset()
    rig.hold(rpc)
    worker = rig.start_worker()
    rig.wait_for_call(rpc)
    rig.store.delete(dataset_id)
    rig.artifacts.delete(dataset_id)
    wait_until(lambda: "dataset_deleted_meanwhile" in worker.log.read_text())
    rig.release(rpc)
    assert not rig.artifacts.dataset_dir(dataset_id).exists()
    with pytest.raises(DatasetNotFound):
        rig.store.get(dataset_id)
    log = worker.log.read_text()
    assert "Traceback" not in log and "job_failed" not in log
    assert rig.finish(rig.add_dataset()).status == Status.COMPLETED


def test_a_database_that_is_locked_for_long_fails_nothing(rig):
    dataset_id = rig.add_dataset()
    rig.hold("Cluster")
    worker = rig.start_worker()
    rig.wait_for_call("Cluster")
    with closing(sqlite3.connect(rig.data_dir / "level.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        rig.release("Cluster")
        wait_until(lambda: "call_repeated" in worker.log.read_text())
        other.execute("ROLLBACK")
    dataset = rig.finish(dataset_id)
    assert (dataset.status, dataset.error) == (Status.COMPLETED, None)
    assert rig.calls()["Cluster"] == 1


def test_a_job_whose_workflow_was_lost_fails_rather_than_wait_for_ever(rig):
    dataset_id = rig.add_dataset()
    rig.hold("Embed")
    worker = rig.start_worker()
    rig.wait_for_call("Embed")
    worker.kill()
    with closing(sqlite3.connect(rig.data_dir / "workflows.sqlite")) as connection, connection:
        connection.execute("UPDATE workflow_status SET status = 'ERROR'")
    rig.release("Embed")
    rig.start_worker()
    dataset = rig.finish(dataset_id)
    assert dataset.status == Status.FAILED
    assert "upload the file again" in dataset.error


def test_workflows_of_an_older_version_begin_anew(rig):
    dataset_id = rig.add_dataset()
    rig.hold("Cluster")
    worker = rig.start_worker()
    rig.wait_for_call("Cluster")
    worker.kill()
    with closing(sqlite3.connect(rig.data_dir / "workflows.sqlite")) as connection, connection:
        connection.execute("UPDATE workflow_status SET application_version = '0'")
    rig.release("Cluster")
    rig.start_worker()
    assert rig.finish(dataset_id).status == Status.COMPLETED
    assert rig.calls()["Embed"] == 1


def test_without_the_workflow_database_nothing_is_lost(rig):
    dataset_id = rig.add_dataset()
    rig.hold("Cluster")
    worker = rig.start_worker()
    rig.wait_for_call("Cluster")
    worker.kill()
    for path in rig.data_dir.glob("workflows.sqlite*"):
        path.unlink()
    rig.release("Cluster")
    rig.start_worker()
    assert rig.finish(dataset_id).status == Status.COMPLETED
    assert rig.calls()["Embed"] == 1


def test_what_an_earlier_version_clustered_is_finished_with_its_one_layer(rig):
    dataset_id = rig.add_dataset()
    rig.hold("AnalyzeClusters")
    rig.hold("LayOut")
    worker = rig.start_worker()
    rig.wait_for_call("LayOut")
    worker.kill()
    with closing(sqlite3.connect(rig.data_dir / "level.sqlite")) as connection, connection:
        connection.execute(
            "DELETE FROM artifacts WHERE name LIKE '%-0' OR name LIKE 'landmark%'"
            " OR name = 'layers'"
        )
        connection.execute("""UPDATE datasets SET clustering = '{"algorithm": "topics"}'""")
    rig.release("AnalyzeClusters")
    rig.release("LayOut")
    rig.start_worker()
    dataset = rig.finish(dataset_id)
    assert (dataset.status, dataset.error) == (Status.COMPLETED, None)
    assert rig.calls()["Cluster"] == 1
    terrain = rig.artifacts.load_json(dataset_id, dataset.artifacts["terrain"])
    assert [hill["cluster_id"] for hill in terrain["hills"]] == [0, 1, 2, 3]
    assert "heights-0" not in dataset.artifacts


def test_every_layer_and_the_landmarks_are_stored(rig):
    dataset_id = rig.add_dataset()
    rig.start_worker()
    dataset = rig.finish(dataset_id)
    assert dataset.status == Status.COMPLETED
    load = partial(rig.artifacts.load_json, dataset_id)
    fine, terrain = load(dataset.artifacts["layers"])
    assert [one["cluster_id"] for one in fine["clusters"]] == list(range(4, 12))
    assert {one["parent_id"] for one in fine["clusters"]} == {0, 1, 2, 3}
    assert (fine["is_terrain_layer"], terrain["is_terrain_layer"]) == (False, True)
    hills = load(dataset.artifacts["terrain-0"])["hills"]
    assert [hill["cluster_id"] for hill in hills] == list(range(4, 12))
    assert {hill["stability"] for hill in hills} == {0.75}
    assert {hill["label"] for hill in hills} <= {f"topic{number}" for number in range(4)} | {
        "message"
    }
    shown = load(dataset.artifacts["terrain"])
    assert shown["layout"] == {"own_hill_fraction": 0.875, "neighbor_preservation": 0.5}
    assert shown["noise"]["reason"] == "no row is noise"
    opened = {
        name: rig.artifacts.open_array(dataset_id, dataset.artifacts[name])
        for name in ("labels", "labels-0", "centroids-0", "landmark_rows", "landmark_reaches")
    }
    assert opened["labels-0"].min() == 4
    assert len(opened["centroids-0"]) == 8
    assert len(opened["landmark_rows"]) == len(opened["landmark_reaches"]) == 300


def test_a_newer_database_is_refused_with_advice(rig):
    with closing(sqlite3.connect(rig.data_dir / "level.sqlite")) as connection, connection:
        connection.execute("UPDATE level_schema SET version = 99")
    worker = rig.start_worker()
    wait_until(lambda: not worker.is_running())
    assert "newer Level" in worker.log.read_text()
    assert "Traceback" not in worker.log.read_text()


def test_a_worker_connects_to_nothing_but_its_services(rig, tmp_path):
    audited = tmp_path / "audited.py"
    audited.write_text(_AUDIT)
    dataset_id = rig.add_dataset()
    log = tmp_path / "audited.log"
    environment = {**rig.environment, "PYTHONPATH": str(tmp_path)}
    worker = Process("audited", (), environment, log)
    try:
        assert rig.finish(dataset_id).status == Status.COMPLETED
    finally:
        worker.kill()
    assert "network: " not in log.read_text()


_AUDIT = f"""
import runpy, sys
sys.path.insert(0, {str(REPOSITORY)!r})
def hook(event, details):
    if event in ("socket.connect", "socket.getaddrinfo"):
        print("network: ", event, details, file=sys.stderr, flush=True)
sys.addaudithook(hook)
runpy.run_module("gateway.worker", run_name="__main__")
"""


def _names(rig, dataset_id):
    return rig.store.names(dataset_id).values()
