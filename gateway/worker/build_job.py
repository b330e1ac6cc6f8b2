"""The job that makes a dataset of an upload: the stages of the pipeline as durable steps."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from gateway.errors import DatasetNotFound
from gateway.jobs import JobKind, UnfinishedJob
from gateway.worker.job_runner import DurableStep, Outcome, failure_of, guarded
from gateway.worker.pipeline import Pipeline

log = structlog.get_logger(__name__)
Stage = Callable[[str], Awaitable[list[str]]]


class BuildJob:
    """Builds datasets.

    Parameters
    ----------
    pipeline : Pipeline
    """

    kind = JobKind.BUILD
    workflow = "build_dataset"

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def subject(self, job: UnfinishedJob) -> str:
        """Return the dataset's id."""
        return job.dataset_id

    async def run(self, subject: str, step: DurableStep) -> None:
        """Run all stages; stop at the first that fails."""
        pipeline = self._pipeline
        # Layout and naming do not need each other. Steps are numbered as they are started, so
        # their order is the same whenever the workflow runs again.
        groups: list[dict[str, Stage]] = [
            {"embed": pipeline.embed},
            {"cluster": pipeline.cluster},
            {"name": pipeline.name, "lay_out": pipeline.lay_out},
            {"build_terrain": pipeline.build_terrain},
            {"complete": pipeline.complete},
        ]
        for group in groups:
            steps = (self._step(subject, name, stage, step) for name, stage in group.items())
            failure = failure_of(await asyncio.gather(*steps))
            if failure is not None:
                await self._end(subject, failure.error)
                return
        log.info("dataset_completed", dataset_id=subject)

    async def is_unfinished(self, subject: str) -> bool:
        """Return whether the dataset is there and has not ended."""
        return await self._pipeline.is_processing(subject)

    async def give_up(self, subject: str) -> None:
        """Mark the dataset failed."""
        await self._fail(subject, "Processing stopped unexpectedly; upload the file again.")

    async def _step(self, dataset_id: str, name: str, stage: Stage, step: DurableStep) -> Outcome:
        async def work() -> list[str]:
            structlog.contextvars.bind_contextvars(
                request_id=await self._pipeline.request_id(dataset_id), dataset_id=dataset_id
            )
            return await stage(dataset_id)

        def is_deleted() -> Awaitable[bool]:
            return self._pipeline.is_deleted(dataset_id)

        return await step(name, lambda: guarded(work, name, is_deleted, dataset_id=dataset_id))

    async def _end(self, dataset_id: str, error: str | None) -> None:
        if error is not None:
            await self._fail(dataset_id, error)
        else:
            log.info("dataset_deleted_meanwhile", dataset_id=dataset_id)
            await self._pipeline.discard(dataset_id)

    async def _fail(self, dataset_id: str, error: str) -> None:
        try:
            await self._pipeline.fail(dataset_id, error)
        except DatasetNotFound:
            log.info("dataset_deleted_meanwhile", dataset_id=dataset_id)
