"""Runs the embedder: ``python -m embedder_svc``."""

from __future__ import annotations

import asyncio
from functools import partial

import structlog

from embedder_svc.configured import load_from, open_cache
from embedder_svc.servicer import SERVICE, EmbedderServicer
from embedder_svc.settings import Settings
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
    model = load_from(settings)
    _log.info("model loaded", model=model.info.model_id, why=model.info.choice_reason)
    return EmbedderServicer(model, settings.idle_seconds, cache=open_cache(settings, model))


if __name__ == "__main__":
    main()
