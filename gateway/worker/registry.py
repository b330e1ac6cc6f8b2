"""The workers' list of each other in the database."""

import time
from collections.abc import Callable

import sqlalchemy as sa

from gateway.database import Database, executors


class WorkerRegistry:
    """Which workers there are and when each last said so. Methods block.

    Parameters
    ----------
    database : Database
    clock : callable
        Seconds of the epoch.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def beat(self, executor_id: str) -> None:
        """Say that a worker is alive."""
        row = {"executor_id": executor_id, "seen_at": self._clock()}
        with self._database.writing() as connection:
            connection.execute(self._database.upsert(executors, row, ["executor_id"]))

    def beats(self) -> dict[str, float]:
        """Return when each worker last said that it is alive, by its own clock."""
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(executors.c.executor_id, executors.c.seen_at))
            return {row.executor_id: row.seen_at for row in rows}

    def forget(self, executor_id: str) -> None:
        """Remove a worker from the list."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(executors).where(executors.c.executor_id == executor_id))
