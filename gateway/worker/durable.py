"""Workflows that survive the death of any process; the only file that knows DBOS.

Our tables are the only truth; a workflow's id is its job's. DBOS is unsafe by default in four ways,
each settled here (docs/adr/0003-durable-pipeline.md): every process has an executor id of its own,
so that none takes another's running work for its own; the application's version is pinned, so that
an update does not strand what is under way; SQLite runs in WAL mode; state is JSON, never pickle.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from dbos._error import DBOSException  # not exported, and the base of what a shutdown raises

from gateway.database import make_plain_engine
from gateway.errors import DatasetNotFound
from gateway.worker.pipeline import Pipeline
from level_rpc.errors import LevelError

log = structlog.get_logger(__name__)
# Raised only when the order of steps changes: workflows under way then begin anew.
PIPELINE_VERSION = "1"
QUEUE = "build"
QUEUE_POLL_SECONDS = 0.2

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
        config: DBOSConfig = {
            "name": "level",
            "application_version": PIPELINE_VERSION,
            "executor_id": executor_id,
            "log_level": "WARNING",
            "enable_otlp": False,
            "serializer": DBOSPortableJSONSerializer(),
        }
        if database_url.startswith("sqlite"):
            config["system_database_url"] = database_url
            config["system_database_engine"] = make_plain_engine(database_url)
        else:
            config["system_database_url"] = database_url
        self._config = config

    async def start(self) -> None:
        """Connect, and begin to take jobs."""
        DBOS(config=self._config)

        async def build_dataset(dataset_id: str) -> None:  # DBOS marks it, so no bound method
            await self._build(dataset_id)

        self._workflow = DBOS.workflow(name="build_dataset")(build_dataset)
        DBOS.launch()  # on this thread: workflows run on the loop that it finds here
        await DBOS.register_queue_async(
            QUEUE,
            worker_concurrency=self._concurrency,
            polling_interval_sec=QUEUE_POLL_SECONDS,
        )

    async def stop(self) -> None:
        """Stop working; what is under way goes on in the next process."""
        await asyncio.to_thread(DBOS.destroy)

    async def ensure_running(self, job_id: str, dataset_id: str) -> None:
        """Enqueue a job unless a workflow for it exists; fail its dataset when that one ended."""
        status = await DBOS.get_workflow_status_async(job_id)
        if status is None:
            with SetWorkflowID(job_id):
                await DBOS.enqueue_workflow_async(QUEUE, self._workflow, dataset_id)
        elif status.status not in ("PENDING", "ENQUEUED", "DELAYED", "SUCCESS"):
            log.error("workflow_ended", dataset_id=dataset_id, status=status.status)
            await self._fail(dataset_id, "processing stopped unexpectedly; upload the file again")

    async def take_over(self, executor_id: str) -> int:
        """Go on with what a dead process was doing; return how many workflows that are."""
        handles = await asyncio.to_thread(DBOS._recover_pending_workflows, [executor_id])
        return len(handles)

    async def _build(self, dataset_id: str) -> None:
        try:
            error = await self._run_steps(dataset_id)
        except DBOSException:
            raise  # a shutdown or a lost claim, not a fault of the dataset
        except Exception:
            log.exception("dataset_failed_unexpectedly", dataset_id=dataset_id)
            error = "internal error; the worker's log has the details"
        if error:
            await self._fail(dataset_id, error)

    async def _run_steps(self, dataset_id: str) -> str | None:
        """Run all stages; return why the dataset failed, None when it did not."""
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
            for outcome in await asyncio.gather(*steps):
                if outcome["ended"]:
                    error: str | None = outcome["error"]
                    return error
        return None

    async def _step(self, name: str, step: Step, dataset_id: str) -> dict[str, Any]:
        """Run a durable step; its outcome is plain JSON, so a replay sees just what was seen."""

        async def run() -> dict[str, Any]:
            structlog.contextvars.bind_contextvars(request_id=dataset_id)
            try:
                return {"ended": False, "error": None, "stored": await step(dataset_id)}
            except DatasetNotFound:
                log.info("dataset_deleted_meanwhile", dataset_id=dataset_id)
                return {"ended": True, "error": None}
            except LevelError as error:
                log.warning("dataset_failed", dataset_id=dataset_id, reason=error.reason)
                return {"ended": True, "error": str(error)}

        return await DBOS.run_step_async({"name": name}, run)

    async def _fail(self, dataset_id: str, error: str) -> None:
        try:
            await self._pipeline.fail(dataset_id, error)
        except DatasetNotFound:
            log.info("dataset_deleted_meanwhile", dataset_id=dataset_id)
