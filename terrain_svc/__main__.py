"""Start the terrain service: ``python -m terrain_svc``."""

from __future__ import annotations

import asyncio

from level_rpc.server import serve
from terrain_svc.servicer import SERVICE, TerrainServicer
from terrain_svc.settings import Settings


def main() -> None:
    """Serve until asked to stop."""
    settings = Settings()
    asyncio.run(
        serve(
            SERVICE,
            TerrainServicer,
            settings.bind,
            log_name="terrain",
            grace_seconds=settings.grace_seconds,
            reflection=settings.reflection,
            log_level=settings.log_level,
        )
    )


if __name__ == "__main__":
    main()
