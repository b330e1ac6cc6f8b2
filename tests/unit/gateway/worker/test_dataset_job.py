"""A job on a dataset: recorded with what it made, silent when nobody waits for it any more."""

import asyncio

import pytest

from gateway.database import Database
from gateway.dataset import Artifact, Status
from gateway.job_store import JobStore
from gateway.jobs import JobKind, NewJob, UnfinishedJob
from gateway.store import DatasetStore
from gateway.worker.dataset_job import DatasetJob, Finished
from level_rpc.errors import FailedPrecondition
from tests.support.store_cases import add_dataset

FILE = Artifact("plan_copies", "plan_copies-1.npy", "blake2b:00", 12)


class Maker:
    """Does what a test says in the middle of the work."""

    def __init__(self, meanwhile=lambda: None):
        self.meanwhile = meanwhile
        self.made, self.discarded = 0, []

    async def make(self, job, on_progress):
        self.made += 1
        on_progress(0.5)
        self.meanwhile()
        return Finished({"of": job.request["of"]}, (FILE,), {0: 0.5})

    def discard(self, job):
        self.discarded.append(job.job_id)


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'level.sqlite'}")
    database.create_tables()
    yield database
    database.close()


@pytest.fixture
def store(database):
    return DatasetStore(database)


@pytest.fixture
def jobs(database):
    return JobStore(database)


@pytest.fixture
def dataset_id(store):
    dataset_id = add_dataset(store)
    store.complete(dataset_id)
    return dataset_id


@pytest.fixture
def job_id(jobs, dataset_id):
    job = NewJob(JobKind.LEVEL, {"of": "this"}, "ask-1")
    jobs.add(dataset_id, job)
    return job.job_id


def run(jobs, maker, job_id):
    """Run a job as the durable worker does, but for the durability; return the step's outcome."""
    outcomes = []

    async def step(name, work):
        outcomes.append(await work())
        return outcomes[-1]

    job = DatasetJob(JobKind.LEVEL, jobs, maker)
    asyncio.run(job.run(job_id, step))
    return outcomes[0]


def test_what_a_job_made_is_recorded_with_it(store, jobs, dataset_id, job_id):
    outcome = run(jobs, Maker(), job_id)
    assert outcome == {"ended": False, "error": None, "stored": ["plan_copies"]}
    assert jobs.get(job_id).result == {"of": "this"}
    assert store.get(dataset_id).artifacts == {"plan_copies": FILE}
    assert store.weights(dataset_id).weights == {0: 0.5}


def test_a_job_that_has_ended_is_not_done_again(jobs, job_id):
    maker = Maker()
    run(jobs, maker, job_id)
    run(jobs, maker, job_id)
    assert maker.made == 1


def test_a_job_whose_dataset_is_deleted_meanwhile_leaves_nothing(store, jobs, dataset_id, job_id):
    maker = Maker(lambda: store.delete(dataset_id))
    outcome = run(jobs, maker, job_id)
    assert outcome == {"ended": True, "error": None}
    assert maker.discarded == [job_id]


def test_a_job_that_is_replaced_meanwhile_leaves_the_newer_one_alone(jobs, dataset_id, job_id):
    newer = NewJob(JobKind.LEVEL, {"of": "that"}, "ask-2")
    maker = Maker(lambda: jobs.add(dataset_id, newer))
    assert run(jobs, maker, job_id)["error"] is None
    assert maker.discarded == [job_id]
    assert jobs.get(newer.job_id).status == Status.PROCESSING


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FailedPrecondition("There are too few rows."), "There are too few rows."),
        (ValueError("secret text of a row"), "Internal error; the worker's log has the details."),
    ],
)
def test_a_job_that_fails_says_what_people_may_read(jobs, job_id, error, told):
    def fail():
        raise error

    run(jobs, Maker(fail), job_id)
    job = jobs.get(job_id)
    assert (job.status, job.error, job.result) == (Status.FAILED, told, None)


def test_whether_somebody_waits_is_known_and_giving_up_is_recorded(jobs, store, dataset_id, job_id):
    job = DatasetJob(JobKind.LEVEL, jobs, Maker())
    unfinished = UnfinishedJob(job_id, dataset_id, JobKind.LEVEL)
    assert (job.workflow, job.subject(unfinished)) == ("level_dataset", job_id)
    assert asyncio.run(job.is_unfinished(job_id))
    asyncio.run(job.give_up(job_id))
    assert not asyncio.run(job.is_unfinished(job_id))
    assert "stopped unexpectedly" in jobs.get(job_id).error
    store.delete(dataset_id)
    assert not asyncio.run(job.is_unfinished(job_id))
    asyncio.run(job.give_up(job_id))
