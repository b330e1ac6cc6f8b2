"""Runs the embedder: ``python -m embedder_svc``."""

from __future__ import annotations

import asyncio

from embedder_svc.loading import load_model
from embedder_svc.servicer import SERVICE, EmbedderServicer
from embedder_svc.settings import Settings
from level_rpc.server import serve


def main() -> None:
    """Read the settings, load the model and serve until told to stop."""
    settings = Settings()

    def build_servicer() -> EmbedderServicer:
        model = load_model(
            settings.model,
            backend=settings.backend,
            precision=settings.precision,
            threads=settings.threads,
            dimension_count=settings.dimensions,
            cache_dir=settings.cache_dir,
            minilm_dir=settings.minilm_dir,
        )
        return EmbedderServicer(model, settings.idle_seconds)

    asyncio.run(
        serve(
            SERVICE,
            build_servicer,
            settings.bind,
            log_name="embedder",
            grace_seconds=settings.grace_seconds,
            reflection=settings.reflection,
            log_level=settings.log_level,
        )
    )


if __name__ == "__main__":
    main()
