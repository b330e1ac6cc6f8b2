"""The stages of the pipeline in this process: no server, no socket, no child process.

::

    async with LocalStages() as stages:
        vectors = (await stages.embed(texts)).vectors
        clustering = await stages.cluster(vectors, "", {}, 0, 15, 5, ExemplarKind.CENTRAL, print)

A result is what the services give for the same arguments. Whoever has no event loop keeps one
running in a thread for as long as the stages are used: all calls, and `close`, on that loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Self

from gateway.pipeline_types import PartHealth
from level.local.clusters import LocalClusters
from level.local.embedder import LocalEmbedder
from level.local.names import LocalNames
from level.local.terrain import LocalTerrain
from level_rpc.errors import LevelError

if TYPE_CHECKING:
    from analyzer_svc.settings import Settings as AnalyzerSettings
    from cluster_svc.settings import Settings as ClusterSettings
    from embedder_svc.settings import Settings as EmbedderSettings


class LocalStages(LocalEmbedder, LocalClusters, LocalNames, LocalTerrain):
    """The stages as threads of this process; implements `Stages`.

    Nothing is imported, loaded or read from the environment before it is needed. A context
    manager; `close` does the same as leaving it.

    Parameters
    ----------
    embedder : embedder_svc.settings.Settings, optional
        Which model, on what, and where vectors are kept; from the environment when not given.
    cluster : cluster_svc.settings.Settings, optional
        Threads, engine and device; from the environment when not given.
    analyzer : analyzer_svc.settings.Settings, optional
        The language model and its limits; from the environment when not given.

    Raises
    ------
    LevelError
        By any method, as the service would; ExtraMissing where an extra is not installed.
    """

    def __init__(
        self,
        *,
        embedder: EmbedderSettings | None = None,
        cluster: ClusterSettings | None = None,
        analyzer: AnalyzerSettings | None = None,
    ) -> None:
        LocalEmbedder.__init__(self, embedder)
        LocalClusters.__init__(self, cluster)
        LocalNames.__init__(self, analyzer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End all threads, and let the model and its cache go; calls under way are broken off."""
        await asyncio.gather(self.close_clusters(), self.close_embedder(), self.close_analyzer())

    async def health(self) -> dict[str, PartHealth]:
        """Return the state of each part, by its name; what is not loaded yet is loaded."""
        parts = {
            "embedder": self.open_embedder(),
            "cluster": self.open_clusters(),
            "analyzer": self.open_analyzer(),
            "terrain": self.open_terrain(),
        }
        reports = await asyncio.gather(*map(_health_of, parts.values()))
        return dict(zip(parts, reports, strict=True))


async def _health_of(opening: Awaitable[object]) -> PartHealth:
    try:
        await opening
    except LevelError as error:
        return PartHealth(False, error.message, {"loading": False})
    return PartHealth(True, "", {"loading": False})
