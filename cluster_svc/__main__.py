"""Runs the cluster service: ``python -m cluster_svc``."""

from __future__ import annotations

import asyncio

from cluster_svc.engine import ComputeEngine
from cluster_svc.servicer import SERVICE, ClusterServicer
from cluster_svc.settings import Settings
from cluster_svc.uploads import Limits
from level_rpc.server import serve


def main() -> None:
    """Read the settings, start the compute process and serve until told to stop."""
    settings = Settings()

    def build_servicer() -> ClusterServicer:
        engine = ComputeEngine(settings.compute_options(), queue_limit=settings.queue_limit)
        limits = Limits(settings.max_array_bytes, settings.idle_seconds, settings.default_eps)
        return ClusterServicer(engine, limits)

    asyncio.run(
        serve(
            SERVICE,
            build_servicer,
            settings.bind,
            log_name="cluster",
            grace_seconds=settings.grace_seconds,
            reflection=settings.reflection,
            log_level=settings.log_level,
        )
    )


if __name__ == "__main__":
    main()
