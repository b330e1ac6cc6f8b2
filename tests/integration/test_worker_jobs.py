"""Levellings and proofs in real workers: what was accepted is finished, and nothing twice."""

import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from gateway.dataset import Status
from gateway.errors import JobGone, PlanStale
from gateway.jobs import JobKind, NewJob
from gateway.plans import current_plan
from tests.support.worker_rig import wait_until, worker_rig

LEVEL = {"layer": 1, "target": {"kind": "uniform"}, "budget": 100}
PROOF = {
    "label_column": "topic",
    "level": {"layer": 1, "target": {"kind": "uniform"}},
    "weights": None,
    "layer": 1,
    "seeds": 2,
    "seed": 0,
    "models": ["logistic_regression"],
    "test_share": 0.25,
    "alphas": [0.5],
    "max_rows": 1_000,
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One store with its services for all tests here, and one worker at a time."""
    folder = tmp_path_factory.mktemp("jobs")
    with worker_rig(folder, LEVEL_SERVICE_PATIENCE_SECONDS="20") as rig:
        rig.worker = rig.start_worker()
        yield rig


@pytest.fixture
def rig(shared):
    """Give the shared rig as it was: nothing held or refused, one worker running."""
    shared.before = shared.calls()
    yield shared
    for order in [*shared.calls_folder.glob("hold-*"), *shared.calls_folder.glob("fail-*")]:
        order.unlink()
    if not shared.worker.is_running():
        shared.worker = shared.start_worker()


@pytest.fixture
def dataset_id(rig):
    """Return the id of a dataset that was just completed."""
    dataset_id = rig.add_dataset(source=csv_with_topics())
    assert rig.finish(dataset_id).status == Status.COMPLETED
    return dataset_id


def new_calls(rig, rpc):
    """Return how often an rpc was called in this test."""
    return rig.calls()[rpc] - rig.before[rpc]


def wait_for_selections(rig, count):
    rig.wait_for_call("SelectRows", rig.before["SelectRows"] + count)


def restart(rig):
    rig.worker.kill()
    rig.worker = rig.start_worker()


def csv_with_topics(row_count=300):
    topics = [0, 1, 0, 2, 0, 3, 0, 1]
    lines = [
        f'{row},t{topics[row % 8]},"topic{topics[row % 8]} message {row}"'
        for row in range(row_count)
    ]
    return "\n".join(["id,topic,text", *lines, ""]).encode()


def ask(rig, dataset_id, kind=JobKind.LEVEL, request=LEVEL):
    job = NewJob(kind, request, "ask-1")
    rig.jobs.add(dataset_id, job)
    return job.job_id


def finish(rig, job_id):
    def ended():
        job = rig.jobs.get(job_id)
        return job if job.status != Status.PROCESSING else None

    return wait_until(ended)


def plan_of(rig, dataset_id):
    plan = current_plan(rig.jobs, rig.artifacts, rig.store.get(dataset_id))
    return [np.asarray(array) for array in (plan.copies, plan.sample_weight, plan.reasons)]


def test_a_levelling_ends_with_a_plan_and_leaves_the_dataset_completed(rig, dataset_id):
    before = rig.store.get(dataset_id)
    job = finish(rig, ask(rig, dataset_id))
    assert (job.status, job.error, job.progress) == (Status.COMPLETED, None, 100)
    copies, weights, reasons = plan_of(rig, dataset_id)
    assert copies.sum() == 100
    assert weights[copies > 0].mean() == pytest.approx(1)
    assert ((reasons == 0) == (copies > 0)).all()
    assert job.result["request"] == LEVEL
    assert job.result["reasons"]["kept"] == np.count_nonzero(copies)
    assert job.result["coverage"]["shares"].keys() >= {"0", "1", "2", "3"}
    after = rig.store.get(dataset_id)
    assert (after.status, after.progress, after.completed_at) == (
        before.status,
        before.progress,
        before.completed_at,
    )
    # Nothing set the weights when it was asked for, so the job did, in one step with its plan.
    assert (after.revision, job.revision) == (1, 1)
    rig.store.adjust(dataset_id, lambda weights: weights)
    with pytest.raises(PlanStale):
        plan_of(rig, dataset_id)


def test_a_worker_killed_while_rows_are_chosen_goes_on_after_its_start(rig, dataset_id):
    undisturbed = finish(rig, ask(rig, dataset_id))
    plan = plan_of(rig, dataset_id)
    calls = rig.calls()
    rig.hold("SelectRows")
    job_id = ask(rig, dataset_id)
    wait_for_selections(rig, 2)
    rig.worker.kill()
    assert rig.jobs.get(job_id).status == Status.PROCESSING
    rig.release("SelectRows")
    rig.worker = rig.start_worker()
    job = finish(rig, job_id)
    assert (job.status, job.error) == (Status.COMPLETED, None)
    assert job.result == undisturbed.result
    for one, other in zip(plan_of(rig, dataset_id), plan, strict=True):
        np.testing.assert_array_equal(one, other)
    assert rig.calls() == {**calls, "SelectRows": calls["SelectRows"] + 2}
    assert rig.store.get(dataset_id).status == Status.COMPLETED


def test_a_finished_job_is_not_done_again(rig, dataset_id):
    job = finish(rig, ask(rig, dataset_id))
    restart(rig)
    second = finish(rig, ask(rig, dataset_id, JobKind.PROVE, PROOF))
    assert second.status == Status.COMPLETED, second.error
    assert new_calls(rig, "SelectRows") == 1
    assert rig.jobs.get(job.job_id) == job


def test_a_job_that_cannot_be_done_fails_with_its_reason(rig, dataset_id):
    rig.refuse("SelectRows", "there are no such rows")
    job = finish(rig, ask(rig, dataset_id))
    assert (job.status, job.error) == (Status.FAILED, "there are no such rows")
    assert job.result is None
    assert rig.store.get(dataset_id).status == Status.COMPLETED
    assert rig.jobs.unfinished() == []
    (rig.calls_folder / "fail-SelectRows").unlink()
    weights = {"layer": 1, "target": {"kind": "tempered", "value": 0.5}}
    assert finish(rig, ask(rig, dataset_id, request=weights)).status == Status.COMPLETED


def test_a_newer_levelling_takes_the_place_of_one_under_way(rig, dataset_id):
    rig.hold("SelectRows")
    first = ask(rig, dataset_id)
    wait_for_selections(rig, 1)
    second = ask(rig, dataset_id, request={**LEVEL, "budget": 40})
    rig.release("SelectRows")
    assert finish(rig, second).status == Status.COMPLETED
    with pytest.raises(JobGone):
        rig.jobs.get(first)
    copies, _, _ = plan_of(rig, dataset_id)
    assert copies.sum() == 40
    third = finish(rig, ask(rig, dataset_id)).job_id
    names = {path.name for path in rig.artifacts.dataset_dir(dataset_id).glob("plan_*")}
    assert {name for name in names if first in name} == set()
    assert {name for name in names if third in name}
    assert "Traceback" not in rig.worker.log.read_text()


def test_deleting_a_dataset_ends_its_jobs(rig, dataset_id):
    rig.hold("SelectRows")
    ask(rig, dataset_id)
    wait_for_selections(rig, 1)
    rig.store.delete(dataset_id)
    rig.artifacts.delete(dataset_id)
    wait_until(lambda: not rig.jobs.unfinished())
    rig.release("SelectRows")
    other = rig.add_dataset()
    assert rig.finish(other).status == Status.COMPLETED
    assert not rig.artifacts.dataset_dir(dataset_id).exists()
    assert "Traceback" not in rig.worker.log.read_text()


def test_two_workers_do_a_levelling_once(rig, dataset_id):
    second = rig.start_worker()
    wait_until(lambda: "worker_ready" in second.log.read_text())
    for _ in range(3):
        assert finish(rig, ask(rig, dataset_id)).status == Status.COMPLETED
    assert new_calls(rig, "SelectRows") == 3
    second.kill()


def provers_of(worker):
    """Return the ids of the proving processes that a worker has started."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError, IndexError):
            command = (entry / "cmdline").read_bytes()
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if b"gateway.proof_process" in command and parent == worker.pid:
                found.append(int(entry.name))
    return found


def is_running(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def test_a_proof_tells_its_verdict_and_outlives_a_killed_worker(rig, dataset_id):
    long = {**PROOF, "seeds": 100, "alphas": [0.0, 0.25, 0.5, 0.75, 1.0]}
    job_id = ask(rig, dataset_id, JobKind.PROVE, long)
    (prover,) = wait_until(lambda: provers_of(rig.worker))
    wait_until(lambda: rig.jobs.get(job_id).progress > 0)
    assert os.getpriority(os.PRIO_PROCESS, prover) >= 10
    rig.worker.kill()
    wait_until(lambda: not is_running(prover))
    assert rig.jobs.get(job_id).status == Status.PROCESSING
    by_hand = {**PROOF, "level": None, "weights": {"4": 0.5, "-1": 0}}
    short = ask(rig, dataset_id, JobKind.PROVE, by_hand)
    rig.worker = rig.start_worker()
    job = finish(rig, short)
    assert (job.status, job.error) == (Status.COMPLETED, None)
    assert job.result["verdict"]["text"]
    assert rig.store.get(dataset_id).status == Status.COMPLETED


def test_a_proof_that_cannot_be_made_says_why(rig, dataset_id):
    names = finish(rig, ask(rig, dataset_id, JobKind.PROVE, {**PROOF, "label_column": "id"}))
    assert names.status == Status.FAILED
    assert names.error
    assert rig.store.get(dataset_id).status == Status.COMPLETED


def test_deleting_a_dataset_kills_its_proof(rig, dataset_id):
    long = {**PROOF, "seeds": 100, "alphas": [0.0, 0.25, 0.5, 0.75, 1.0]}
    ask(rig, dataset_id, JobKind.PROVE, long)
    (prover,) = wait_until(lambda: provers_of(rig.worker))
    rig.store.delete(dataset_id)
    wait_until(lambda: not is_running(prover))
    assert rig.worker.is_running()
