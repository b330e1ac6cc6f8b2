"""Whether each part of the system can work now."""

import asyncio
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gateway.embedded_texts import ModelInfo
from gateway.memory import DatasetMemory
from gateway.pipeline_types import PartHealth, Stages
from gateway.store import DatasetStore
from gateway.worker.registry import WorkerRegistry
from level_rpc.errors import LevelError

FRESH_SECONDS = 1.0
ANSWER_SECONDS = 3.0
SILENT_WORKER_SECONDS = 15.0
MIN_FREE_BYTES = 64 << 20


@dataclass(frozen=True)
class SystemHealth:
    """The state of every part by its name, and the loaded model."""

    parts: dict[str, PartHealth]
    model: ModelInfo | None

    @property
    def unhealthy_parts(self) -> list[str]:
        """Names of the parts that cannot work now."""
        return [name for name, part in self.parts.items() if not part.ready]

    def view(self, version: str, datasets_in_memory: int) -> dict[str, Any]:
        """Return the health as the REST contract shows it."""
        return {
            "status": "unhealthy" if self.unhealthy_parts else "healthy",
            "version": version,
            "datasets_in_memory": datasets_in_memory,
            "model_loaded": self.model is not None,
            "model": asdict(self.model) if self.model else None,
            "unhealthy_parts": self.unhealthy_parts,
            "parts": {name: asdict(part) for name, part in self.parts.items()},
        }


@dataclass
class HealthMonitor:
    """Asks every part how it is, at most once a second however often it is asked itself.

    Parameters
    ----------
    store : DatasetStore
    workers : WorkerRegistry
    stages : Stages
    memory : DatasetMemory
        Told which datasets still exist.
    data_dir : Path
        The folder whose disk must have room.
    """

    store: DatasetStore
    workers: WorkerRegistry
    stages: Stages
    memory: DatasetMemory
    data_dir: Path
    _last: SystemHealth | None = field(default=None, init=False)
    _asked_at: float = field(default=0.0, init=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def check(self) -> SystemHealth:
        """Return the state of every part, at most a second old."""
        async with self._lock:
            if self._last is None or time.monotonic() - self._asked_at > FRESH_SECONDS:
                self._last = await self._ask()
                self._asked_at = time.monotonic()
            return self._last

    async def _ask(self) -> SystemHealth:
        own, services = await asyncio.gather(asyncio.to_thread(self._own_parts), self._services())
        embedder = services.get("embedder")
        model = await self._model() if embedder is not None and embedder.ready else None
        return SystemHealth(own | services, model)

    def _own_parts(self) -> dict[str, PartHealth]:
        try:
            self.memory.keep_only(self.store.ids())
            last_beat = max(self.workers.beats().values(), default=0.0)
            worker_alive = time.time() - last_beat < SILENT_WORKER_SECONDS
            database = PartHealth(True)
        except LevelError as error:
            database, worker_alive = PartHealth(False, error.message), False
        reason = "" if worker_alive else "No worker is running: start `python -m gateway.worker`."
        worker = PartHealth(worker_alive, reason)
        return {"database": database, "disk": _disk(self.data_dir), "worker": worker}

    async def _services(self) -> dict[str, PartHealth]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self.stages.health()
        except TimeoutError:
            return {"services": PartHealth(False, "The services do not answer.")}

    async def _model(self) -> ModelInfo | None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self.stages.get_model()
        except (LevelError, TimeoutError):
            return None


def _disk(folder: Path) -> PartHealth:
    try:
        state = os.statvfs(folder)
    except OSError:
        return PartHealth(False, "The data folder cannot be reached; see LEVEL_DATA_DIR.")
    if state.f_bavail * state.f_frsize < MIN_FREE_BYTES:
        return PartHealth(False, "The disk of the data folder is full; delete something.")
    return PartHealth(True)
