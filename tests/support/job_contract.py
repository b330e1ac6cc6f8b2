"""What is kept of jobs on every database; `store` and `database` are the caller's fixtures."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.dataset import Artifact, Status
from gateway.errors import DatasetNotFound, JobGone, RevisionConflict
from gateway.job_store import JobStore
from gateway.jobs import JobKind, NewJob
from tests.support.store_cases import add_dataset

FILE = Artifact("plan_copies", "plan_copies-1.npy", "blake2b:00", 12)


def new_job(kind=JobKind.LEVEL, **request):
    return NewJob(kind, request, "ask-1")


class JobContract:
    @pytest.fixture
    def jobs(self, database):
        return JobStore(database)

    @pytest.fixture
    def dataset_id(self, store):
        dataset_id = add_dataset(store)
        store.complete(dataset_id)
        return dataset_id

    def add(self, jobs, dataset_id, **request):
        job = new_job(**request)
        jobs.add(dataset_id, job)
        return job.job_id

    def test_a_new_job_comes_back_as_it_was_recorded(self, jobs, dataset_id):
        job_id = self.add(jobs, dataset_id, seed=3)
        job = jobs.get(job_id)
        assert (job.status, job.progress, job.error, job.result) == ("processing", 0, None, None)
        assert (job.kind, job.request, job.request_id) == (JobKind.LEVEL, {"seed": 3}, "ask-1")
        assert (job.dataset_id, job.revision) == (dataset_id, 0)
        assert jobs.find(dataset_id, JobKind.LEVEL) == job
        assert jobs.find(dataset_id, JobKind.PROVE) is None
        ((unfinished),) = jobs.unfinished()
        assert (unfinished.job_id, unfinished.kind) == (job_id, JobKind.LEVEL)

    def test_weights_and_their_job_are_recorded_together_or_not_at_all(
        self, store, jobs, dataset_id
    ):
        job = new_job()
        assert store.adjust(dataset_id, lambda _: {0: 0.5}, 0, job).revision == 1
        assert jobs.get(job.job_id).revision == 1
        with pytest.raises(RevisionConflict):
            store.adjust(dataset_id, lambda _: {0: 0.25}, 0, new_job())
        with pytest.raises(RevisionConflict):
            jobs.add(dataset_id, new_job(), expected_revision=0)
        assert jobs.find(dataset_id, JobKind.LEVEL).job_id == job.job_id
        assert store.weights(dataset_id).weights == {0: 0.5}

    def test_a_newer_job_takes_the_place_of_the_last_of_its_kind(self, jobs, dataset_id):
        proof = new_job(JobKind.PROVE)
        jobs.add(dataset_id, proof)
        first, second = self.add(jobs, dataset_id), self.add(jobs, dataset_id)
        assert {job.job_id for job in jobs.unfinished()} == {second, proof.job_id}
        for call in (jobs.get, lambda job_id: jobs.advance(job_id, 5)):
            with pytest.raises(JobGone):
                call(first)
        with pytest.raises(JobGone):
            jobs.complete(first, {"of": "the first"}, [FILE])
        with pytest.raises(JobGone):
            jobs.fail(first, "too late")
        assert jobs.get(second).status == Status.PROCESSING

    def test_progress_never_falls_and_ends_with_the_job(self, jobs, dataset_id):
        job_id = self.add(jobs, dataset_id)
        for progress in (30, 20, 60):
            jobs.advance(job_id, progress)
        assert jobs.get(job_id).progress == 60
        jobs.fail(job_id, "The disk is gone.")
        jobs.advance(job_id, 90)
        jobs.complete(job_id, {})
        job = jobs.get(job_id)
        assert (job.status, job.progress, job.error) == ("failed", 60, "The disk is gone.")

    def test_a_result_is_recorded_with_its_files_and_never_moves_the_dataset(
        self, store, jobs, dataset_id
    ):
        before = store.get(dataset_id)
        job_id = self.add(jobs, dataset_id)
        jobs.complete(job_id, {"notes": ["é"]}, [FILE])
        jobs.complete(job_id, {"notes": ["again"]})
        jobs.fail(job_id, "too late")
        job, dataset = jobs.get(job_id), store.get(dataset_id)
        assert (job.status, job.progress, job.error) == ("completed", 100, None)
        assert job.result == {"notes": ["é"]}
        assert job.completed_at >= job.created_at
        assert dataset.artifacts == {"plan_copies": FILE}
        assert (dataset.status, dataset.progress) == (before.status, before.progress)
        assert dataset.revision == before.revision
        assert jobs.unfinished() == []

    def test_a_job_sets_the_weights_that_it_found(self, store, jobs, dataset_id):
        job_id = self.add(jobs, dataset_id)
        jobs.complete(job_id, {}, weights={0: 0.5, -1: 0.0})
        assert store.weights(dataset_id).weights == {0: 0.5, -1: 0.0}
        assert jobs.get(job_id).revision == store.get(dataset_id).revision == 1

    def test_a_job_leaves_weights_that_are_its_own_already(self, store, jobs, dataset_id):
        job = new_job()
        store.adjust(dataset_id, lambda _: {0: 0.5}, job=job)
        jobs.complete(job.job_id, {}, weights={0: 0.5})
        assert jobs.get(job.job_id).revision == store.get(dataset_id).revision == 1

    def test_a_job_leaves_weights_that_were_set_since(self, store, jobs, dataset_id):
        job_id = self.add(jobs, dataset_id)
        store.adjust(dataset_id, lambda _: {1: 2.0})
        jobs.complete(job_id, {}, weights={0: 0.5})
        assert store.weights(dataset_id).weights == {1: 2.0}
        assert (jobs.get(job_id).revision, store.get(dataset_id).revision) == (0, 1)

    def test_a_dataset_at_work_does_not_expire(self, store, jobs, dataset_id):
        later = store.get(dataset_id).last_used_at + 60
        job_id = self.add(jobs, dataset_id)
        assert store.unused_since(later) == []
        jobs.complete(job_id, {})
        assert store.unused_since(later) == [dataset_id]

    def test_nothing_is_left_of_the_jobs_of_a_deleted_dataset(self, store, jobs, dataset_id):
        job_id = self.add(jobs, dataset_id)
        store.delete(dataset_id)
        with pytest.raises(JobGone):
            jobs.complete(job_id, {}, [FILE])
        with pytest.raises(DatasetNotFound):
            jobs.add(dataset_id, new_job())
        assert (jobs.unfinished(), jobs.find(dataset_id, JobKind.LEVEL)) == ([], None)

    def test_deleting_and_completing_at_once_leaves_no_orphans(self, store, jobs, database):
        for _ in range(8):
            dataset_id = add_dataset(store)
            job_id = self.add(jobs, dataset_id)
            with ThreadPoolExecutor(2) as threads:
                completing = threads.submit(jobs.complete, job_id, {}, [FILE])
                threads.submit(store.delete, dataset_id).result()
                assert isinstance(completing.exception(), JobGone | DatasetNotFound | None)
        with database.reading() as connection:
            for table in ("artifacts", "jobs", "job_records"):
                count = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()
                assert count == 0

    def test_of_jobs_added_at_once_one_is_left(self, jobs, dataset_id):
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: self.add(jobs, dataset_id), range(8)))
        assert len(jobs.unfinished()) == 1
