"""Start the analyzer service: ``python -m analyzer_svc``."""

from __future__ import annotations

import asyncio

from analyzer_svc.models import open_language_model
from analyzer_svc.servicer import SERVICE, AnalyzerServicer
from analyzer_svc.settings import Settings
from level_rpc.server import serve


def main() -> None:
    """Serve until asked to stop."""
    settings = Settings()

    def build_servicer() -> AnalyzerServicer:
        model = open_language_model(settings)
        return AnalyzerServicer(model, settings.naming_limits(), settings.analyzer_idle_seconds)

    asyncio.run(
        serve(
            SERVICE,
            build_servicer,
            settings.analyzer_bind,
            log_name="analyzer",
            grace_seconds=settings.analyzer_grace_seconds,
            reflection=settings.analyzer_reflection,
            log_level=settings.log_level,
        )
    )


if __name__ == "__main__":
    main()
