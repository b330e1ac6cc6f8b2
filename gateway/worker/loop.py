"""What a worker does beside working: says it is alive, takes jobs, takes over, sweeps."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

import structlog

from gateway.job_store import JobStore
from gateway.worker.durable import DurableRunner
from gateway.worker.janitor import Janitor
from gateway.worker.liveness import BEAT_SECONDS, DeathWatch
from gateway.worker.registry import WorkerRegistry
from level_rpc.errors import LevelError

log = structlog.get_logger(__name__)
NEW_JOB_SECONDS = 0.25
RECHECK_SECONDS = 10.0
SWEEP_SECONDS = 300.0


class WorkerLoop:
    """The periodic duties of one worker.

    Parameters
    ----------
    jobs : JobStore
    registry : WorkerRegistry
    runner : DurableRunner
    janitor : Janitor
    executor_id : str
    """

    def __init__(
        self,
        jobs: JobStore,
        registry: WorkerRegistry,
        runner: DurableRunner,
        janitor: Janitor,
        executor_id: str,
    ) -> None:
        self._jobs = jobs
        self._registry = registry
        self._runner = runner
        self._janitor = janitor
        self._executor_id = executor_id
        self._watch = DeathWatch(executor_id)
        self._seen_jobs: set[str] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Do all duties until `stop` is set."""
        duties = [
            self._every(BEAT_SECONDS, self._beat, stop),
            self._every(NEW_JOB_SECONDS, self._take_new_jobs, stop),
            self._every(RECHECK_SECONDS, self._recheck_jobs, stop),
            self._every(SWEEP_SECONDS, self._sweep, stop),
        ]
        await asyncio.gather(*duties)

    async def _every(
        self, seconds: float, duty: Callable[[], Awaitable[None]], stop: asyncio.Event
    ) -> None:
        while not stop.is_set():
            try:
                await duty()
            except LevelError as error:
                log.warning("duty_postponed", duty=duty.__name__, reason=error.reason)
            except Exception:
                log.exception("duty_failed", duty=duty.__name__)
            try:
                async with asyncio.timeout(seconds):
                    await stop.wait()
            except TimeoutError:
                continue

    async def _beat(self) -> None:
        await asyncio.to_thread(self._registry.beat, self._executor_id)
        beats = await asyncio.to_thread(self._registry.beats)
        for executor_id in self._watch.dead(beats, monotonic()):
            taken = await self._runner.take_over(executor_id)
            await asyncio.to_thread(self._registry.forget, executor_id)
            log.info("took_over", executor_id=executor_id, workflow_count=taken)

    async def _take_new_jobs(self) -> None:
        jobs = await asyncio.to_thread(self._jobs.unfinished)
        for job in jobs:
            if job.job_id not in self._seen_jobs:
                await self._runner.ensure_running(job)
                self._seen_jobs.add(job.job_id)
        self._seen_jobs &= {job.job_id for job in jobs}

    async def _recheck_jobs(self) -> None:
        for job in await asyncio.to_thread(self._jobs.unfinished):
            await self._runner.ensure_running(job)

    async def _sweep(self) -> None:
        await asyncio.to_thread(self._janitor.sweep)
