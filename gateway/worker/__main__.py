"""Run the worker: `python -m gateway.worker`."""

import asyncio
import os
import signal
import sys

import structlog

from gateway.artifacts import ArtifactStore
from gateway.database import Database
from gateway.job_store import JobStore
from gateway.jobs import JobKind
from gateway.settings import GatewaySettings
from gateway.stages import GrpcStages
from gateway.store import DatasetStore
from gateway.worker.build_job import BuildJob
from gateway.worker.dataset_job import DatasetJob
from gateway.worker.durable import DurableRunner
from gateway.worker.janitor import Janitor
from gateway.worker.job_runner import JobRunner
from gateway.worker.liveness import new_executor_id
from gateway.worker.loop import WorkerLoop
from gateway.worker.pipeline import Pipeline
from gateway.worker.plan_maker import PlanMaker
from gateway.worker.proof_maker import ProofMaker
from gateway.worker.registry import WorkerRegistry
from level_rpc.errors import LevelError
from level_rpc.logs import configure_logging

NICENESS = 5


async def work(settings: GatewaySettings) -> None:
    """Work until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    database = Database(settings.resolved_database_url)
    database.create_tables()
    store, jobs = DatasetStore(database), JobStore(database)
    artifacts = ArtifactStore(settings.data_dir)
    executor_id = new_executor_id()
    async with GrpcStages(settings.addresses, settings.stream_idle_seconds) as stages:
        pipeline = Pipeline(
            store,
            artifacts,
            stages,
            settings.service_patience_seconds,
            settings.embedder_calls,
        )
        plans = PlanMaker(store, jobs, artifacts, stages, settings.service_patience_seconds)
        proofs = ProofMaker(store, artifacts)
        runners: dict[JobRunner, int] = {
            BuildJob(pipeline): settings.pipeline_concurrency,
            DatasetJob(JobKind.LEVEL, jobs, plans): settings.pipeline_concurrency,
            DatasetJob(JobKind.PROVE, jobs, proofs): 1,
        }
        runner = DurableRunner(runners, settings.workflow_database_url, executor_id)
        janitor = Janitor(store, artifacts, settings.dataset_ttl_hours * 3_600)
        registry = WorkerRegistry(database)
        await runner.start()
        try:
            await WorkerLoop(jobs, registry, runner, janitor, executor_id).run(stop)
        finally:
            await runner.stop()
            database.close()


def main() -> None:
    """Read the settings and work."""
    settings = GatewaySettings()
    configure_logging("worker", settings.log_level)
    os.nice(NICENESS)  # the gateway answers people; this can wait a moment
    try:
        asyncio.run(work(settings))
    except LevelError as error:
        structlog.get_logger(__name__).error("worker_cannot_start", problem=error.message)
        sys.exit(1)


if __name__ == "__main__":
    main()
