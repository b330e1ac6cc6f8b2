"""Workflows that survive the death of any process; the only file that knows DBOS.

Our tables are the only truth; a workflow's id is its job's. DBOS is unsafe by default in four ways,
each settled here (docs/adr/0003-durable-pipeline.md): every process has an executor id of its own,
so that none takes another's running work for its own; the application's version is pinned, so that
an update does not strand what is under way; SQLite runs in WAL mode; state is JSON, never pickle.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID

from gateway.database import is_sqlite, make_workflow_engine
from gateway.errors import DatasetNotFound
from gateway.worker.pipeline import Pipeline
from gateway.worker.transient import is_transient
from level_rpc.errors import LevelError

log = structlog.get_logger(__name__)
# Raised only when the order of steps changes: workflows under way then begin anew, and find what
# is stored already. Workers of two versions must not run at the same time.
PIPELINE_VERSION = "1"
WORKFLOW = "build_dataset"
QUEUE = "build"
QUEUE_POLL_SECONDS = 0.5
STOP_SECONDS = 5.0
_UNDER_WAY = ("PENDING", "ENQUEUED", "DELAYED")

Step = Callable[[str], Awaitable[list[str]]]


class DurableRunner:
    """Runs `Pipeline` for jobs, each stage as a durable step.

    Parameters
    ----------
    pipeline : Pipeline
    database_url : str
        Where DBOS keeps its own tables; an SQLite file of its own, or the PostgreSQL database.
    executor_id : str
        Names this process; never used twice.
    concurrency : int
        How many datasets this process works on at a time.
    """

    def __init__(
        self, pipeline: Pipeline, database_url: str, executor_id: str, concurrency: int
    ) -> None:
        self._pipeline = pipeline
        self._concurrency = concurrency
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
        self._workflow = DBOS.workflow(name=WORKFLOW)(self._workflow_function())
        # On the loop, though it blocks: workflows run on the loop that it is called from, and the
        # channels to the services belong to this one.
        DBOS.launch()
        await DBOS.register_queue_async(
            QUEUE,
            worker_concurrency=self._concurrency,
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

    async def ensure_running(self, job_id: str, dataset_id: str) -> None:
        """Enqueue a job unless a workflow for it exists; fail its dataset when that one ended."""
        status = await DBOS.get_workflow_status_async(job_id)
        if status is not None and status.app_version != PIPELINE_VERSION:
            await DBOS.delete_workflow_async(job_id)
            status = None
        if status is None:
            with SetWorkflowID(job_id):
                await DBOS.enqueue_workflow_async(QUEUE, self._workflow, dataset_id)
        elif status.status not in _UNDER_WAY and await self._pipeline.is_processing(dataset_id):
            log.error("workflow_ended", dataset_id=dataset_id, status=status.status)
            await self._fail(dataset_id, "Processing stopped unexpectedly; upload the file again.")

    async def take_over(self, executor_id: str) -> int:
        """Go on with what a dead process was doing; return how many workflows that are."""
        handles = await asyncio.to_thread(DBOS._recover_pending_workflows, [executor_id])
        return len(handles)

    def _workflow_function(self) -> Callable[[str], Coroutine[Any, Any, None]]:
        async def build_dataset(dataset_id: str) -> None:
            await self._build(dataset_id)

        return build_dataset  # DBOS marks functions, which bound methods do not allow

    async def _build(self, dataset_id: str) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            if self._stopping:
                raise asyncio.CancelledError
            await self._run_steps(dataset_id)
        finally:
            self._running.discard(task)

    async def _run_steps(self, dataset_id: str) -> None:
        """Run all stages; stop at the first that fails."""
        pipeline = self._pipeline
        # Layout and naming do not need each other. Steps are numbered as they are started, so
        # their order is the same whenever the workflow runs again.
        groups = [
            {"embed": pipeline.embed},
            {"cluster": pipeline.cluster},
            {"name": pipeline.name, "lay_out": pipeline.lay_out},
            {"build_terrain": pipeline.build_terrain},
            {"complete": pipeline.complete},
        ]
        for group in groups:
            steps = (self._step(name, step, dataset_id) for name, step in group.items())
            outcomes = await asyncio.gather(*steps)
            ends = [outcome for outcome in outcomes if outcome["ended"]]
            if ends:
                await self._end(dataset_id, [end["error"] for end in ends if end["error"]])
                return
        log.info("dataset_completed", dataset_id=dataset_id)

    async def _step(self, name: str, step: Step, dataset_id: str) -> dict[str, Any]:
        """Run a durable step; its outcome is plain JSON, so a replay sees just what was seen."""

        async def run() -> dict[str, Any]:
            try:
                structlog.contextvars.bind_contextvars(
                    request_id=await self._pipeline.request_id(dataset_id), dataset_id=dataset_id
                )
                return {"ended": False, "error": None, "stored": await step(dataset_id)}
            except Exception as error:
                return {"ended": True, "error": await self._explain(dataset_id, name, error)}

        outcome: dict[str, Any] = await DBOS.run_step_async({"name": name}, run)
        return outcome

    async def _explain(self, dataset_id: str, name: str, error: Exception) -> str | None:
        """Return what to tell of an error; None when the dataset was deleted, which explains it."""
        if await self._pipeline.is_deleted(dataset_id):
            return None
        if isinstance(error, LevelError):
            log.warning("dataset_failed", dataset_id=dataset_id, step=name, reason=error.reason)
            return f"{error} (stage: {name})" if is_transient(error) else str(error)
        log.error("dataset_failed_unexpectedly", dataset_id=dataset_id, step=name, exc_info=error)
        return "Internal error; the worker's log has the details."

    async def _end(self, dataset_id: str, errors: list[str]) -> None:
        if errors:
            await self._fail(dataset_id, errors[0])
        else:
            log.info("dataset_deleted_meanwhile", dataset_id=dataset_id)
            await self._pipeline.discard(dataset_id)

    async def _fail(self, dataset_id: str, error: str) -> None:
        try:
            await self._pipeline.fail(dataset_id, error)
        except DatasetNotFound:
            log.info("dataset_deleted_meanwhile", dataset_id=dataset_id)


def _take_log_over() -> None:
    """Let DBOS log as we do: it makes a handler of its own unless its logger has one."""
    logger = logging.getLogger("dbos")
    logger.addHandler(logging.NullHandler())
    logger.addFilter(_is_worth_telling)


def _is_worth_telling(record: logging.LogRecord) -> bool:
    # Stopping cancels what is under way, and it goes on in the next process.
    return "Asyncio task cancelled" not in record.getMessage()
