"""A job on a completed dataset, done in one durable step and recorded with all that it made."""

import asyncio
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from gateway.dataset import Artifact, Status
from gateway.errors import DatasetNotFound, JobGone
from gateway.job_store import JobStore
from gateway.jobs import Job, JobKind, UnfinishedJob
from gateway.pipeline_types import OnProgress
from gateway.worker.job_runner import DurableStep, failure_of, guarded
from gateway.worker.reporting import while_reporting
from gateway.worker.transient import in_store

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Finished:
    """What a job made.

    Attributes
    ----------
    result : dict
        JSON values.
    files : tuple of Artifact
        On disk already.
    weights : mapping of int to float, optional
        What the dataset's weights become, where the request did not set them.
    """

    result: dict[str, Any]
    files: tuple[Artifact, ...] = ()
    weights: Mapping[int, float] | None = None


class Maker(Protocol):
    """Does one kind of job."""

    async def make(self, job: Job, on_progress: OnProgress) -> Finished:
        """Do a job. May be cancelled at any moment, and called again for the same job."""

    def discard(self, job: Job) -> None:
        """Remove what a job that is gone has left; blocks."""


class DatasetJob:
    """Runs one kind of job on completed datasets.

    Parameters
    ----------
    kind : JobKind
    jobs : JobStore
    maker : Maker
    """

    def __init__(self, kind: JobKind, jobs: JobStore, maker: Maker) -> None:
        self.kind = kind
        self.workflow = f"{kind}_dataset"
        self._jobs = jobs
        self._maker = maker

    def subject(self, job: UnfinishedJob) -> str:
        """Return the job's id."""
        return job.job_id

    async def run(self, subject: str, step: DurableStep) -> None:
        """Do the job; a job that was replaced or deleted ends without a word to anyone."""

        async def work() -> list[str]:
            return await self._do(subject)

        def is_gone() -> Awaitable[bool]:
            return self._is_gone(subject)

        outcome = await step(
            str(self.kind), lambda: guarded(work, str(self.kind), is_gone, job_id=subject)
        )
        failure = failure_of([outcome])
        if failure is None:
            log.info("job_completed", kind=self.kind, job_id=subject)
        elif failure.error is not None:
            await self._fail(subject, failure.error)

    async def is_unfinished(self, subject: str) -> bool:
        """Return whether the job is there and has not ended."""
        try:
            return (await in_store(self._jobs.get, subject)).status == Status.PROCESSING
        except JobGone:
            return False

    async def give_up(self, subject: str) -> None:
        """Mark the job failed."""
        await self._fail(subject, "The work stopped unexpectedly; ask for it again.")

    async def _do(self, job_id: str) -> list[str]:
        """Do what is not done; return the names of what is stored."""
        job = await in_store(self._jobs.get, job_id)
        if job.status != Status.PROCESSING:
            return []
        structlog.contextvars.bind_contextvars(
            request_id=job.request_id, dataset_id=job.dataset_id, job_id=job_id
        )
        try:
            return await self._make(job)
        except (JobGone, DatasetNotFound):
            await asyncio.to_thread(self._maker.discard, job)
            raise

    async def _make(self, job: Job) -> list[str]:
        latest = 0.0

        def on_progress(fraction: float) -> None:
            nonlocal latest
            latest = max(latest, fraction)

        def report() -> None:
            # Raises when the job is gone, which cancels the work.
            self._jobs.advance(job.job_id, min(int(100 * latest), 99))

        finished = await while_reporting(self._maker.make(job, on_progress), report)
        await in_store(
            self._jobs.complete, job.job_id, finished.result, finished.files, finished.weights
        )
        return [file.name for file in finished.files]

    async def _is_gone(self, job_id: str) -> bool:
        try:
            await in_store(self._jobs.get, job_id)
        except JobGone:
            return True
        return False

    async def _fail(self, job_id: str, error: str) -> None:
        with suppress(JobGone, DatasetNotFound):
            await in_store(self._jobs.fail, job_id, error)
