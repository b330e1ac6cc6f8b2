"""Workflows that survive the death of any process; the only file that knows DBOS.

Our tables are the only truth; a workflow's id is its job's. DBOS is unsafe by default in four ways,
each settled here (docs/adr/0003-durable-pipeline.md): every process has an executor id of its own,
so that none takes another's running work for its own; the application's version is pinned, so that
an update does not strand what is under way; SQLite runs in WAL mode; state is JSON, never pickle.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import structlog
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID

from gateway.database import is_sqlite, make_workflow_engine
from gateway.jobs import UnfinishedJob
from gateway.worker.job_runner import JobRunner, Outcome

log = structlog.get_logger(__name__)
# Raised only when the order of steps changes: workflows under way then begin anew, and find what
# is stored already. Workers of two versions must not run at the same time.
PIPELINE_VERSION = "1"
QUEUE_POLL_SECONDS = 0.5
STOP_SECONDS = 5.0
_UNDER_WAY = ("PENDING", "ENQUEUED", "DELAYED")


class DurableRunner:
    """Runs jobs, each kind in a queue of its own.

    Parameters
    ----------
    runners : mapping of JobRunner to int
        How many jobs of each this process works on at a time.
    database_url : str
        Where DBOS keeps its own tables; an SQLite file of its own, or the PostgreSQL database.
    executor_id : str
        Names this process; never used twice.
    """

    def __init__(
        self, runners: Mapping[JobRunner, int], database_url: str, executor_id: str
    ) -> None:
        self._concurrency = {runner.kind: count for runner, count in runners.items()}
        self._runners = {runner.kind: runner for runner in runners}
        self._running: set[asyncio.Task[Any]] = set()
        self._stopping = False
        self._config: DBOSConfig = {
            "name": "level",
            "application_version": PIPELINE_VERSION,
            "executor_id": executor_id,
            "log_level": "WARNING",
            "enable_otlp": False,
            "serializer": DBOSPortableJSONSerializer(),
            "system_database_url": database_url,
        }
        if is_sqlite(database_url):
            self._config["system_database_engine"] = make_workflow_engine(database_url)

    async def start(self) -> None:
        """Connect, and begin to take jobs."""
        _take_log_over()
        DBOS(config=self._config)
        self._workflows = {
            kind: DBOS.workflow(name=runner.workflow)(self._workflow_function(runner))
            for kind, runner in self._runners.items()
        }
        # On the loop, though it blocks: workflows run on the loop that it is called from, and the
        # channels to the services belong to this one.
        DBOS.launch()
        for kind, concurrency in self._concurrency.items():
            await DBOS.register_queue_async(
                kind.value,
                worker_concurrency=concurrency,
                polling_interval_sec=QUEUE_POLL_SECONDS,
                on_conflict="always_update",
            )
        log.info("worker_ready", executor_id=self._config["executor_id"])

    async def stop(self) -> None:
        """Stop working; what is under way goes on in the next process."""
        self._stopping = True
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=STOP_SECONDS)
        await asyncio.to_thread(DBOS.destroy)

    async def ensure_running(self, job: UnfinishedJob) -> None:
        """Enqueue a job unless a workflow for it exists; end it when that one has ended."""
        runner = self._runners[job.kind]
        subject = runner.subject(job)
        status = await DBOS.get_workflow_status_async(job.job_id)
        if status is not None and status.app_version != PIPELINE_VERSION:
            await DBOS.delete_workflow_async(job.job_id)
            status = None
        if status is None:
            with SetWorkflowID(job.job_id):
                workflow = self._workflows[job.kind]
                await DBOS.enqueue_workflow_async(job.kind.value, workflow, subject)
        elif status.status not in _UNDER_WAY and await runner.is_unfinished(subject):
            log.error("workflow_ended", kind=job.kind, subject=subject, status=status.status)
            await runner.give_up(subject)

    async def take_over(self, executor_id: str) -> int:
        """Go on with what a dead process was doing; return how many workflows that are."""
        handles = await asyncio.to_thread(DBOS._recover_pending_workflows, [executor_id])
        return len(handles)

    def _workflow_function(self, runner: JobRunner) -> Callable[[str], Coroutine[Any, Any, None]]:
        async def run_job(subject: str) -> None:
            await self._run(runner, subject)

        return run_job  # DBOS marks functions, which bound methods do not allow

    async def _run(self, runner: JobRunner, subject: str) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            if self._stopping:
                raise asyncio.CancelledError
            await runner.run(subject, _durable_step)
        finally:
            self._running.discard(task)


async def _durable_step(name: str, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
    async def run() -> Outcome:  # DBOS asks a function whether it is asynchronous
        return await work()

    outcome: Outcome = await DBOS.run_step_async({"name": name}, run)
    return outcome


def _take_log_over() -> None:
    """Let DBOS log as we do: it makes a handler of its own unless its logger has one."""
    logger = logging.getLogger("dbos")
    logger.addHandler(logging.NullHandler())
    logger.addFilter(_is_worth_telling)


def _is_worth_telling(record: logging.LogRecord) -> bool:
    # Stopping cancels what is under way, and it goes on in the next process.
    return "Asyncio task cancelled" not in record.getMessage()
