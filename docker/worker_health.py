"""Exit code 0 when the worker of this container has been heard from lately, 1 when not."""

import sys
import time

from gateway.database import Database
from gateway.settings import GatewaySettings
from gateway.worker.liveness import SILENT_SECONDS, new_executor_id
from gateway.worker.registry import WorkerRegistry


def is_alive(beats: dict[str, float], now: float) -> bool:
    """Return whether a worker of this container is among those who lately said that they live."""
    host = new_executor_id().partition("/")[0]
    heard = [seen for executor_id, seen in beats.items() if executor_id.startswith(f"{host}/")]
    return max(heard, default=0.0) > now - SILENT_SECONDS


def main() -> int:
    """Return the exit code."""
    database = Database(GatewaySettings().resolved_database_url)
    try:
        return 0 if is_alive(WorkerRegistry(database).beats(), time.time()) else 1
    finally:
        database.close()


if __name__ == "__main__":
    sys.exit(main())
