"""Datasets, their artifacts, names, weights and jobs, as the database keeps them."""

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from gateway.database import Database, artifacts, cluster_names, datasets, executors, jobs
from gateway.dataset import (
    Artifact,
    ClusterName,
    Dataset,
    PipelineParameters,
    Stage,
    Status,
    WeightsRevision,
    check_transition,
)
from gateway.errors import DatasetNotFound, RevisionConflict

TOUCH_SECONDS = 60.0
# Weights grow with the clusters and are read by themselves: status is asked for far more often.
_WITHOUT_WEIGHTS = [column for column in datasets.c if column.name != "weights"]


class DatasetStore:
    """Every change of a dataset's state. Methods block; call them off the event loop.

    Raises
    ------
    DatasetNotFound
        By any method that is given an id that no dataset has.
    StoreUnavailable
        By any method when the database cannot answer.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    # Datasets

    def create(
        self,
        dataset_id: str,
        file_name: str,
        table: dict[str, Any],
        parameters: PipelineParameters,
        warnings: Iterable[str],
        files: Iterable[Artifact],
    ) -> Dataset:
        """Record an accepted upload and the job that processes it, in one transaction."""
        now = self._clock()
        row = {
            "dataset_id": dataset_id,
            "file_name": file_name,
            "status": Status.PROCESSING,
            "stage": Stage.QUEUED,
            "progress": 0,
            "created_at": now,
            "last_used_at": now,
            "table_info": table,
            "parameters": asdict(parameters),
            "warnings": list(warnings),
            "timings": {},
            "counts": {"row_count": table["row_count"]},
            "model": {},
            "clustering": {},
            "revision": 0,
            "weights": {},
        }
        job = {
            "job_id": str(uuid4()),
            "dataset_id": dataset_id,
            "kind": "build",
            "finished": False,
            "created_at": now,
        }
        with self._database.writing() as connection:
            connection.execute(sa.insert(datasets).values(row))
            connection.execute(sa.insert(jobs).values(job))
            for artifact in files:
                connection.execute(self._put_artifact(dataset_id, artifact))
        return self.get(dataset_id)

    def get(self, dataset_id: str) -> Dataset:
        """Return a dataset with its artifacts."""
        with self._database.reading() as connection:
            row = _dataset_row(connection, dataset_id)
            files = connection.execute(
                sa.select(artifacts).where(artifacts.c.dataset_id == dataset_id)
            ).mappings()
            return _to_dataset(row, [_to_artifact(file) for file in files])

    def list_datasets(self) -> list[Dataset]:
        """Return every dataset, newest first, without artifacts."""
        with self._database.reading() as connection:
            query = sa.select(*_WITHOUT_WEIGHTS).order_by(datasets.c.created_at.desc())
            rows = connection.execute(query)
            return [_to_dataset(row, []) for row in rows.mappings()]

    def ids(self) -> set[str]:
        """Return the id of every dataset."""
        with self._database.reading() as connection:
            return set(connection.execute(sa.select(datasets.c.dataset_id)).scalars())

    def delete(self, dataset_id: str) -> None:
        """Forget a dataset; its files are the caller's to remove."""
        with self._database.writing() as connection:
            _dataset_row(connection, dataset_id)
            for table in (datasets, artifacts, cluster_names, jobs):
                connection.execute(sa.delete(table).where(table.c.dataset_id == dataset_id))

    def touch(self, dataset: Dataset) -> None:
        """Note that a dataset was used; at most once a minute, to spare the disk."""
        now = self._clock()
        if now - dataset.last_used_at < TOUCH_SECONDS:
            return
        with self._database.writing() as connection:
            connection.execute(_update(dataset.dataset_id, last_used_at=now))

    def unused_since(self, moment: float) -> list[str]:
        """Return ids of datasets at rest whose last use was before `moment` (seconds, epoch)."""
        query = sa.select(datasets.c.dataset_id).where(
            datasets.c.last_used_at < moment, datasets.c.status != Status.PROCESSING
        )
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    # Progress

    def advance(self, dataset_id: str, stage: Stage, progress: int) -> None:
        """Set the stage and raise the progress; neither ever goes back."""
        with self._database.writing() as connection:
            row = _dataset_row(connection, dataset_id, locked=True)
            if row["status"] != Status.PROCESSING:
                return
            order = list(Stage)
            current = Stage(row["stage"])
            stage = max(stage, current, key=order.index)
            progress = max(progress, row["progress"])
            if (stage, progress) != (current, row["progress"]):
                connection.execute(_update(dataset_id, stage=stage, progress=progress))

    def note(self, dataset_id: str, *, warnings: Iterable[str] = (), **parts: Any) -> None:
        """Add warnings, and merge into `timings`, `counts`, `model` or `clustering`."""
        with self._database.writing() as connection:
            row = _dataset_row(connection, dataset_id, locked=True)
            changes: dict[str, Any] = {
                name: {**row[name], **values} for name, values in parts.items()
            }
            kept = [*row["warnings"]]
            kept.extend(warning for warning in warnings if warning not in kept)
            connection.execute(_update(dataset_id, warnings=kept, **changes))

    def complete(self, dataset_id: str, files: Iterable[Artifact] = ()) -> None:
        """Mark a dataset completed and its job finished."""
        self._finish(dataset_id, Status.COMPLETED, None, files)

    def fail(self, dataset_id: str, error: str) -> None:
        """Mark a dataset failed for a reason that people can read, and its job finished."""
        self._finish(dataset_id, Status.FAILED, error, ())

    def _finish(
        self, dataset_id: str, status: Status, error: str | None, files: Iterable[Artifact]
    ) -> None:
        with self._database.writing() as connection:
            row = _dataset_row(connection, dataset_id, locked=True)
            if row["status"] == status:
                return
            check_transition(Status(row["status"]), status)
            progress = 100 if status == Status.COMPLETED else row["progress"]
            connection.execute(
                _update(
                    dataset_id,
                    status=status,
                    stage=None,
                    progress=progress,
                    error=error,
                    completed_at=self._clock(),
                    last_used_at=self._clock(),
                )
            )
            for artifact in files:
                connection.execute(self._put_artifact(dataset_id, artifact))
            done = sa.update(jobs).where(jobs.c.dataset_id == dataset_id).values(finished=True)
            connection.execute(done)

    # Artifacts and names

    def put_artifacts(self, dataset_id: str, *files: Artifact) -> None:
        """Record files that are on disk already, all of them at once."""
        with self._database.writing() as connection:
            _dataset_row(connection, dataset_id)
            for artifact in files:
                connection.execute(self._put_artifact(dataset_id, artifact))

    def put_names(self, dataset_id: str, names: Iterable[ClusterName]) -> None:
        """Record names of clusters, replacing earlier ones."""
        rows = [{**asdict(name), "dataset_id": dataset_id} for name in names]
        if not rows:
            return
        for row in rows:
            row["keywords"] = list(row["keywords"])
        with self._database.writing() as connection:
            _dataset_row(connection, dataset_id)
            for row in rows:
                keys = ["dataset_id", "cluster_id"]
                connection.execute(self._database.upsert(cluster_names, [row], keys))

    def names(self, dataset_id: str) -> dict[int, ClusterName]:
        """Return the names recorded so far, by cluster id."""
        query = sa.select(cluster_names).where(cluster_names.c.dataset_id == dataset_id)
        with self._database.reading() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        for row in rows:
            del row["dataset_id"]
            row["keywords"] = tuple(row["keywords"])
        return {row["cluster_id"]: ClusterName(**row) for row in rows}

    def _put_artifact(self, dataset_id: str, artifact: Artifact) -> Any:
        row = {**asdict(artifact), "dataset_id": dataset_id, "parents": list(artifact.parents)}
        return self._database.upsert(artifacts, [row], ["dataset_id", "name"])

    # Weights

    def weights(self, dataset_id: str) -> WeightsRevision:
        """Return the weights as they stand."""
        with self._database.reading() as connection:
            return _to_weights(_weights_row(connection, dataset_id))

    def adjust(
        self,
        dataset_id: str,
        change: Callable[[dict[int, float]], dict[int, float]],
        expected_revision: int | None = None,
    ) -> WeightsRevision:
        """Replace the weights by `change` of them and return the next revision; all or nothing.

        Raises
        ------
        RevisionConflict
            When `expected_revision` is given and is not the current one.
        """
        with self._database.writing() as connection:
            current = _to_weights(_weights_row(connection, dataset_id, locked=True))
            if expected_revision is not None and expected_revision != current.revision:
                raise RevisionConflict(expected_revision, current.revision)
            new = WeightsRevision(current.revision + 1, change(current.weights))
            stored = {str(cluster): weight for cluster, weight in new.weights.items()}
            connection.execute(
                _update(
                    dataset_id,
                    revision=new.revision,
                    weights=stored,
                    last_used_at=self._clock(),
                )
            )
        return new

    # Jobs and those who work on them

    def unfinished_jobs(self) -> list[tuple[str, str]]:
        """Return (job id, dataset id) of every unfinished job, oldest first."""
        query = (
            sa.select(jobs.c.job_id, jobs.c.dataset_id)
            .where(jobs.c.finished.is_(False))
            .order_by(jobs.c.created_at)
        )
        with self._database.reading() as connection:
            return [(row.job_id, row.dataset_id) for row in connection.execute(query)]

    def beat(self, executor_id: str) -> None:
        """Say that a worker is alive."""
        row = {"executor_id": executor_id, "seen_at": self._clock()}
        with self._database.writing() as connection:
            connection.execute(self._database.upsert(executors, [row], ["executor_id"]))

    def silent_executors(self, silent_seconds: float) -> list[str]:
        """Return workers that have not been heard of for `silent_seconds`."""
        limit = self._clock() - silent_seconds
        query = sa.select(executors.c.executor_id).where(executors.c.seen_at < limit)
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def has_live_executor(self, silent_seconds: float) -> bool:
        """Return whether any worker has been heard of in the last `silent_seconds`."""
        limit = self._clock() - silent_seconds
        query = sa.select(executors.c.executor_id).where(executors.c.seen_at >= limit).limit(1)
        with self._database.reading() as connection:
            return connection.execute(query).first() is not None

    def forget_executor(self, executor_id: str) -> None:
        """Forget a worker."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(executors).where(executors.c.executor_id == executor_id))


def _update(dataset_id: str, **values: Any) -> Any:
    return sa.update(datasets).where(datasets.c.dataset_id == dataset_id).values(**values)


def _dataset_row(connection: sa.Connection, dataset_id: str, locked: bool = False) -> Any:
    return _one_row(connection, sa.select(*_WITHOUT_WEIGHTS), dataset_id, locked)


def _weights_row(connection: sa.Connection, dataset_id: str, locked: bool = False) -> Any:
    query = sa.select(datasets.c.revision, datasets.c.weights)
    return _one_row(connection, query, dataset_id, locked)


def _one_row(connection: sa.Connection, query: Any, dataset_id: str, locked: bool) -> Any:
    query = query.where(datasets.c.dataset_id == dataset_id)
    row = connection.execute(query.with_for_update() if locked else query).mappings().first()
    if row is None:
        raise DatasetNotFound
    return row


def _to_dataset(row: Any, files: Iterable[Artifact]) -> Dataset:
    return Dataset(
        dataset_id=row["dataset_id"],
        file_name=row["file_name"],
        status=Status(row["status"]),
        stage=Stage(row["stage"]) if row["stage"] else None,
        progress=row["progress"],
        error=row["error"],
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        completed_at=row["completed_at"],
        table=row["table_info"],
        parameters=PipelineParameters(**row["parameters"]),
        warnings=tuple(row["warnings"]),
        timings=row["timings"],
        counts=row["counts"],
        model=row["model"],
        clustering=row["clustering"],
        artifacts={file.name: file for file in files},
        revision=row["revision"],
    )


def _to_artifact(row: Any) -> Artifact:
    values = {name: row[name] for name in Artifact.__dataclass_fields__}
    return replace(Artifact(**values), parents=tuple(row["parents"]))


def _to_weights(row: Any) -> WeightsRevision:
    weights = {int(cluster): float(weight) for cluster, weight in row["weights"].items()}
    return WeightsRevision(row["revision"], weights)
