"""Jobs on completed datasets, as the database keeps them.

A dataset has at most one job of each kind: a newer one takes the place of the last, which then is
over whether or not it was finished. Every change is one transaction.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from gateway.database import Database, artifacts, job_records, jobs
from gateway.dataset import Artifact, Status, WeightsRevision
from gateway.errors import JobGone, RevisionConflict
from gateway.jobs import Job, JobKind, NewJob, UnfinishedJob
from gateway.records import (
    dataset_row,
    from_artifact,
    from_weights,
    to_weights,
    update_dataset,
    weights_row,
)


class JobStore:
    """Every change of a job's state. Methods block; call them off the event loop.

    Raises
    ------
    JobGone
        By any method that is given the id of a job that was replaced, or ended with its dataset.
    StoreUnavailable
        By any method when the database cannot answer.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def add(self, dataset_id: str, new: NewJob, expected_revision: int | None = None) -> int:
        """Record a job at the current revision of the weights, which is returned.

        Raises
        ------
        RevisionConflict
            When `expected_revision` is given and is not the current one.
        """
        now = self._clock()
        with self._database.writing() as connection:
            revision = int(dataset_row(connection, dataset_id, locked=True)["revision"])
            if expected_revision is not None and expected_revision != revision:
                raise RevisionConflict(expected_revision, revision)
            add_job(connection, dataset_id, new, revision, now)
            connection.execute(update_dataset(dataset_id, last_used_at=now))
        return revision

    def get(self, job_id: str) -> Job:
        """Return a job."""
        with self._database.reading() as connection:
            return _to_job(_job_row(connection, job_id))

    def find(self, dataset_id: str, kind: JobKind) -> Job | None:
        """Return the job of a kind that a dataset has, None when there is none."""
        query = sa.select(job_records).where(
            job_records.c.dataset_id == dataset_id, job_records.c.kind == kind
        )
        with self._database.reading() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else _to_job(row)

    def advance(self, job_id: str, progress: int) -> None:
        """Raise the progress, which never falls."""
        with self._database.reading() as connection:
            row = _job_row(connection, job_id)
        if progress <= row["progress"] or row["status"] != Status.PROCESSING:
            return
        with self._database.writing() as connection:
            raised = _of_job(sa.update(job_records), job_id).where(
                job_records.c.progress < progress, job_records.c.status == Status.PROCESSING
            )
            connection.execute(raised.values(progress=progress))

    def complete(
        self,
        job_id: str,
        result: dict[str, Any],
        files: Iterable[Artifact] = (),
        weights: Mapping[int, float] | None = None,
    ) -> None:
        """Record the result and the files of a job, and that it is completed; all or nothing.

        Weights, where they are given and are not the current ones, become the next revision, to
        which the job then belongs; not where they were changed since the job was asked for.
        """
        with self._database.writing() as connection:
            row = self._unfinished_row(connection, job_id)
            if row is None:
                return
            for file in files:
                named, keys = from_artifact(row["dataset_id"], file), ["dataset_id", "name"]
                connection.execute(self._database.upsert(artifacts, named, keys))
            ended = {"status": Status.COMPLETED, "progress": 100, "result": result}
            revision = _set_weights(connection, row, weights)
            self._finish(connection, job_id, **ended, revision=revision)

    def fail(self, job_id: str, error: str) -> None:
        """Record that a job failed, for a reason that people can read."""
        with self._database.writing() as connection:
            if self._unfinished_row(connection, job_id) is not None:
                self._finish(connection, job_id, status=Status.FAILED, error=error)

    def unfinished(self) -> list[UnfinishedJob]:
        """Return every unfinished job, builds of datasets among them, oldest first."""
        query = (
            sa.select(jobs.c.job_id, jobs.c.dataset_id, jobs.c.kind)
            .where(jobs.c.finished.is_(False))
            .order_by(jobs.c.created_at)
        )
        with self._database.reading() as connection:
            rows = connection.execute(query)
            return [UnfinishedJob(row.job_id, row.dataset_id, JobKind(row.kind)) for row in rows]

    def _unfinished_row(self, connection: sa.Connection, job_id: str) -> Any:
        """Return the row of a job, kept from others; None when it has ended already."""
        # Its dataset's row first, as whoever deletes or replaces it does: so none waits for another
        # in a circle, and nothing is left behind that is written while a dataset is deleted.
        dataset_row(connection, _job_row(connection, job_id)["dataset_id"], locked=True)
        row = _job_row(connection, job_id)
        return row if row["status"] == Status.PROCESSING else None

    def _finish(self, connection: sa.Connection, job_id: str, **values: Any) -> None:
        ended = _of_job(sa.update(job_records), job_id)
        connection.execute(ended.values(completed_at=self._clock(), **values))
        done = sa.update(jobs).where(jobs.c.job_id == job_id).values(finished=True)
        connection.execute(done)


def add_job(
    connection: sa.Connection, dataset_id: str, new: NewJob, revision: int, now: float
) -> None:
    """Record a job in the transaction of `connection`, in the place of the last of its kind."""
    _forget(connection, dataset_id, new.kind)
    scheduled = {
        "job_id": new.job_id,
        "dataset_id": dataset_id,
        "kind": new.kind,
        "created_at": now,
    }
    record = {
        **scheduled,
        "request_id": new.request_id,
        "request": new.request,
        "revision": revision,
        "status": Status.PROCESSING,
        "progress": 0,
    }
    connection.execute(sa.insert(jobs).values(**scheduled, finished=False))
    connection.execute(sa.insert(job_records).values(record))


def _set_weights(connection: sa.Connection, job: Any, weights: Mapping[int, float] | None) -> int:
    """Set the weights that a job found, unless others were set since; return its revision."""
    current = to_weights(weights_row(connection, job["dataset_id"]))
    revision = int(job["revision"])
    if weights is None or current.revision != revision or current.weights == weights:
        return revision
    found = from_weights(WeightsRevision(revision + 1, dict(weights)))
    connection.execute(update_dataset(job["dataset_id"], **found))
    return revision + 1


def _forget(connection: sa.Connection, dataset_id: str, kind: JobKind) -> None:
    for table in (jobs, job_records):
        connection.execute(
            sa.delete(table).where(table.c.dataset_id == dataset_id, table.c.kind == kind)
        )


def _job_row(connection: sa.Connection, job_id: str) -> Any:
    row = connection.execute(_of_job(sa.select(job_records), job_id)).mappings().first()
    if row is None:
        raise JobGone
    return row


def _of_job(statement: Any, job_id: str) -> Any:
    return statement.where(job_records.c.job_id == job_id)


def _to_job(row: Any) -> Job:
    values = {field.name: row[field.name] for field in fields(Job)}
    return Job(**{**values, "kind": JobKind(row["kind"]), "status": Status(row["status"])})
