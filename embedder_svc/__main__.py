"""Runs the embedder: ``python -m embedder_svc``."""

from __future__ import annotations

import asyncio
from functools import partial

import structlog

from embedder_svc.loading import load_model, load_model_on_ray
from embedder_svc.model import EmbeddingModel
from embedder_svc.servicer import SERVICE, EmbedderServicer
from embedder_svc.settings import Settings
from embedder_svc.vector_cache import VectorCache
from level_rpc.server import serve

_log = structlog.get_logger("embedder_svc")


def main() -> None:
    """Read the settings, load the model and serve until told to stop."""
    settings = Settings()
    asyncio.run(
        serve(
            SERVICE,
            partial(_build_servicer, settings),
            settings.bind,
            log_name="embedder",
            grace_seconds=settings.grace_seconds,
            reflection=settings.reflection,
            log_level=settings.log_level,
        )
    )


def _build_servicer(settings: Settings) -> EmbedderServicer:
    model = _load(settings)
    _log.info("model loaded", model=model.info.model_id, why=model.info.choice_reason)
    cache = VectorCache(
        settings.cache_dir.expanduser() / "vectors",
        model.info.dimension_count,
        settings.cache_mib * 2**20,
    )
    return EmbedderServicer(model, settings.idle_seconds, cache=cache)


def _load(settings: Settings) -> EmbeddingModel:
    load = partial(
        load_model,
        settings.model,
        revision=settings.revision,
        backend=settings.backend,
        precision=settings.precision,
        dimension_count=settings.dimensions,
        cache_dir=settings.cache_dir,
        minilm_dir=settings.minilm_dir,
    )
    if not settings.ray_address:
        return load(threads=settings.threads)
    return load_model_on_ray(
        load,
        model=settings.model,
        backend=settings.backend,
        address=settings.ray_address,
        actor_count=settings.ray_actors,
        threads=settings.threads,
    )


if __name__ == "__main__":
    main()
