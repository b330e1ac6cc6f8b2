"""The REST gateway as an ASGI application: `uvicorn gateway.app:app`, or `python -m gateway`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from slowapi import Limiter
from slowapi.util import get_remote_address

from gateway import json_bodies
from gateway.artifacts import ArtifactStore
from gateway.body_limit import BodyLimit, Limit
from gateway.database import Database
from gateway.dependencies import Gateway
from gateway.events import DatasetEvents
from gateway.exporter import Exporter
from gateway.health import HealthMonitor
from gateway.job_store import JobStore
from gateway.level_desk import LevelDesk
from gateway.memory import DatasetMemory
from gateway.metrics import GatewayMetrics
from gateway.openapi import documented_openapi
from gateway.own_site import OwnSite
from gateway.plans import current_plan
from gateway.problems import install_problem_handlers
from gateway.proof_desk import ProofDesk
from gateway.request_context import RequestContext
from gateway.routes import (
    datasets,
    exports,
    levellings,
    pages,
    proofs,
    system,
    terrains,
    uploads,
)
from gateway.settings import GatewaySettings
from gateway.stages import GrpcStages
from gateway.store import DatasetStore
from gateway.terrains import Terrains
from gateway.upload_form import FORM_OVERHEAD_BYTES
from gateway.uploads import UploadDesk
from gateway.version import VERSION
from gateway.worker.registry import WorkerRegistry
from level_rpc.logs import configure_logging

if TYPE_CHECKING:
    app: FastAPI

UPLOAD_PATH = "/api/upload"
_EXPOSED_HEADERS = ["ETag", "Location", "Retry-After", "Content-Disposition", "X-Request-ID"]


def create_app(settings: GatewaySettings) -> FastAPI:
    """Return the gateway; it opens what it needs when it starts, and closes it when it stops."""
    limiter = Limiter(key_func=get_remote_address)
    metrics = GatewayMetrics(
        lambda: app.state.gateway.store.list_datasets(),
        lambda: len(app.state.gateway.memory),
        lambda: app.state.gateway.store.embedding_totals(),
    )
    app = FastAPI(
        title="Level",
        version=VERSION,
        description="See the shape of a lopsided text dataset as a terrain, level its hills, and"
        " take a balanced dataset away. Errors are problem+json (RFC 9457).",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan(settings, metrics),
    )
    app.include_router(uploads.make_router(limiter, settings.upload_rate))
    for routes in (datasets, terrains, levellings, proofs, exports, system):
        app.include_router(routes.router)
    pages.install_pages(app)
    install_problem_handlers(app, limiter)
    _add_middleware(app, settings, metrics)
    app.openapi = documented_openapi(app)  # type: ignore[method-assign]
    return app


def _add_middleware(app: FastAPI, settings: GatewaySettings, metrics: GatewayMetrics) -> None:
    limits = {UPLOAD_PATH: Limit(settings.max_upload_size, FORM_OVERHEAD_BYTES)}
    others = Limit(json_bodies.MAX_BYTES)

    # The last one added is the outermost.
    app.add_middleware(BodyLimit, limit_of=lambda path: limits.get(path, others))
    app.add_middleware(OwnSite, origins=settings.cors_origin_list, any_host=settings.allow_remote)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origin_list,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["Content-Type", "If-Match", "If-None-Match", "X-Request-ID"],
        expose_headers=_EXPOSED_HEADERS,
    )
    app.add_middleware(RequestContext, observe=metrics.observe_request)


def _lifespan(
    settings: GatewaySettings, metrics: GatewayMetrics
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = Database(settings.resolved_database_url)
        try:
            await asyncio.to_thread(database.create_tables)
            artifacts = await asyncio.to_thread(ArtifactStore, settings.data_dir)
            async with GrpcStages(settings.addresses, settings.stream_idle_seconds) as stages:
                app.state.gateway = _assemble(settings, database, artifacts, stages, metrics)
                yield
        finally:
            database.close()

    return lifespan


def _assemble(
    settings: GatewaySettings,
    database: Database,
    artifacts: ArtifactStore,
    stages: GrpcStages,
    metrics: GatewayMetrics,
) -> Gateway:
    store, memory = DatasetStore(database), DatasetMemory(settings.max_datasets_in_memory)
    workers = WorkerRegistry(database)
    jobs, weighed = JobStore(database), Terrains(store, artifacts, stages, memory)
    return Gateway(
        settings=settings,
        store=store,
        jobs=jobs,
        artifacts=artifacts,
        memory=memory,
        uploads=UploadDesk(settings, store, artifacts, stages),
        terrains=weighed,
        levels=LevelDesk(store, jobs, artifacts, stages, weighed),
        proofs=ProofDesk(store, jobs, artifacts),
        exporter=Exporter(
            artifacts,
            lambda dataset: current_plan(jobs, artifacts, dataset),
            settings.max_concurrent_exports,
        ),
        events=DatasetEvents(store.get),
        health=HealthMonitor(store, workers, stages, memory, settings.data_dir),
        metrics=metrics,
    )


def __getattr__(name: str) -> Any:
    """Make `app` when a server asks for it, so that importing this module reads no settings."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    settings = GatewaySettings()
    configure_logging("gateway", settings.log_level)
    globals()["app"] = create_app(settings)
    return globals()["app"]
