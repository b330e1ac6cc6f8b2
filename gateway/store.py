"""Datasets, their artifacts, names, weights and jobs, as the database keeps them."""

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from gateway.database import (
    Database,
    artifacts,
    cluster_names,
    datasets,
    embeddings,
    job_records,
    jobs,
)
from gateway.dataset import (
    Artifact,
    ClusterName,
    Dataset,
    PipelineParameters,
    Stage,
    Status,
    WeightsRevision,
    check_transition,
    furthest,
)
from gateway.embedding_progress import EmbeddingProgress
from gateway.embedding_records import (
    read_all_progress,
    read_progress,
    read_totals,
    write_progress,
)
from gateway.errors import RevisionConflict
from gateway.job_store import add_job
from gateway.jobs import JobKind, NewJob
from gateway.records import (
    WITHOUT_WEIGHTS,
    dataset_row,
    from_artifact,
    from_name,
    from_weights,
    to_artifact,
    to_dataset,
    to_name,
    to_weights,
    update_dataset,
    weights_row,
)

TOUCH_SECONDS = 60.0


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
        *,
        request_id: str,
    ) -> Dataset:
        """Record an accepted upload and the job that processes it, in one transaction.

        The processing is logged everywhere under `request_id`, that of the upload.
        """
        now = self._clock()
        row = {
            "dataset_id": dataset_id,
            "request_id": request_id,
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
            "kind": JobKind.BUILD,
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
            row = dataset_row(connection, dataset_id)
            files = connection.execute(
                sa.select(artifacts).where(artifacts.c.dataset_id == dataset_id)
            ).mappings()
            progress = read_progress(connection, dataset_id)
            return to_dataset(row, [to_artifact(file) for file in files], progress)

    def list_datasets(self) -> list[Dataset]:
        """Return every dataset, newest first, without artifacts."""
        with self._database.reading() as connection:
            query = sa.select(*WITHOUT_WEIGHTS).order_by(datasets.c.created_at.desc())
            progress = read_all_progress(connection)
            rows = connection.execute(query).mappings()
            return [to_dataset(row, [], progress.get(row["dataset_id"])) for row in rows]

    def ids(self) -> set[str]:
        """Return the id of every dataset."""
        with self._database.reading() as connection:
            return set(connection.execute(sa.select(datasets.c.dataset_id)).scalars())

    def delete(self, dataset_id: str) -> None:
        """Forget a dataset; its files are the caller's to remove."""
        with self._database.writing() as connection:
            dataset_row(connection, dataset_id)
            for table in (datasets, artifacts, cluster_names, embeddings, jobs, job_records):
                connection.execute(sa.delete(table).where(table.c.dataset_id == dataset_id))

    def touch(self, dataset: Dataset) -> None:
        """Note that a dataset was used; at most once a minute, to spare the disk."""
        now = self._clock()
        if now - dataset.last_used_at < TOUCH_SECONDS:
            return
        with self._database.writing() as connection:
            connection.execute(update_dataset(dataset.dataset_id, last_used_at=now))

    def unused_since(self, moment: float) -> list[str]:
        """Return ids of datasets at rest whose last use was before `moment` (seconds, epoch)."""
        at_work = sa.select(jobs.c.dataset_id).where(jobs.c.finished.is_(False))
        query = sa.select(datasets.c.dataset_id).where(
            datasets.c.last_used_at < moment, datasets.c.dataset_id.not_in(at_work)
        )
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    # Progress

    def advance(self, dataset_id: str, stage: Stage, progress: int, *, enter: bool = True) -> None:
        """Set the stage and raise the progress; neither ever goes back.

        Without `enter`, nothing changes unless the dataset is in that stage already.
        """
        # Most reports change nothing; those need no lock.
        with self._database.reading() as connection:
            row = dataset_row(connection, dataset_id)
        if _position_after(row, stage, progress, enter) is None:
            return
        with self._database.writing() as connection:
            row = dataset_row(connection, dataset_id, locked=True)
            if position := _position_after(row, stage, progress, enter):
                values = dict(zip(("stage", "progress"), position, strict=True))
                connection.execute(update_dataset(dataset_id, **values))

    def note(self, dataset_id: str, *, warnings: Iterable[str] = (), **parts: Any) -> None:
        """Add warnings, and merge into `timings`, `counts`, `model` or `clustering`."""
        with self._database.writing() as connection:
            row = dataset_row(connection, dataset_id, locked=True)
            changes: dict[str, Any] = {
                name: {**row[name], **values} for name, values in parts.items()
            }
            kept = [*row["warnings"]]
            kept.extend(warning for warning in warnings if warning not in kept)
            connection.execute(update_dataset(dataset_id, warnings=kept, **changes))

    def note_embedding(self, dataset_id: str, progress: EmbeddingProgress) -> None:
        """Record how far the embedding is; no count of it falls."""
        with self._database.writing() as connection:
            dataset_row(connection, dataset_id, locked=True)
            write_progress(self._database, connection, dataset_id, progress)

    def embedding_totals(self) -> dict[str, float]:
        """Return what all embeddings there ever were add up to; deleted datasets count too."""
        with self._database.reading() as connection:
            return read_totals(connection)

    def complete(self, dataset_id: str) -> None:
        """Mark a dataset completed and its job finished."""
        self._finish(dataset_id, Status.COMPLETED, None)

    def fail(self, dataset_id: str, error: str) -> None:
        """Mark a dataset failed for a reason that people can read, and its job finished."""
        self._finish(dataset_id, Status.FAILED, error)

    def _finish(self, dataset_id: str, status: Status, error: str | None) -> None:
        with self._database.writing() as connection:
            row = dataset_row(connection, dataset_id, locked=True)
            if row["status"] == status:
                return
            check_transition(Status(row["status"]), status)
            progress = 100 if status == Status.COMPLETED else row["progress"]
            connection.execute(
                update_dataset(
                    dataset_id,
                    status=status,
                    stage=None,
                    progress=progress,
                    error=error,
                    completed_at=self._clock(),
                    last_used_at=self._clock(),
                )
            )
            built = (jobs.c.dataset_id == dataset_id) & (jobs.c.kind == JobKind.BUILD)
            connection.execute(sa.update(jobs).where(built).values(finished=True))

    # Artifacts and names

    def put_artifacts(self, dataset_id: str, *files: Artifact) -> None:
        """Record files that are on disk already, all of them at once."""
        with self._database.writing() as connection:
            dataset_row(connection, dataset_id, locked=True)
            for artifact in files:
                connection.execute(self._put_artifact(dataset_id, artifact))

    def put_names(self, dataset_id: str, names: Iterable[ClusterName]) -> None:
        """Record names of clusters, replacing earlier ones."""
        rows = [from_name(dataset_id, name) for name in names]
        with self._database.writing() as connection:
            dataset_row(connection, dataset_id, locked=True)
            for row in rows:
                keys = ["dataset_id", "cluster_id"]
                connection.execute(self._database.upsert(cluster_names, row, keys))

    def names(self, dataset_id: str) -> dict[int, ClusterName]:
        """Return the names recorded so far, by cluster id."""
        query = sa.select(cluster_names).where(cluster_names.c.dataset_id == dataset_id)
        with self._database.reading() as connection:
            names = [to_name(row) for row in connection.execute(query).mappings()]
        return {name.cluster_id: name for name in names}

    def _put_artifact(self, dataset_id: str, artifact: Artifact) -> Any:
        row = from_artifact(dataset_id, artifact)
        return self._database.upsert(artifacts, row, ["dataset_id", "name"])

    # Weights

    def weights(self, dataset_id: str) -> WeightsRevision:
        """Return the weights as they stand."""
        with self._database.reading() as connection:
            return to_weights(weights_row(connection, dataset_id))

    def adjust(
        self,
        dataset_id: str,
        change: Callable[[dict[int, float]], dict[int, float]],
        expected_revision: int | None = None,
        job: NewJob | None = None,
    ) -> WeightsRevision:
        """Replace the weights by `change` of them and return the next revision; all or nothing.

        A job, where one is given, is recorded with them: it belongs to that revision.

        Raises
        ------
        RevisionConflict
            When `expected_revision` is given and is not the current one.
        """
        with self._database.writing() as connection:
            current = to_weights(weights_row(connection, dataset_id, locked=True))
            if expected_revision is not None and expected_revision != current.revision:
                raise RevisionConflict(expected_revision, current.revision)
            new = WeightsRevision(current.revision + 1, change(current.weights))
            stored = from_weights(new)
            connection.execute(update_dataset(dataset_id, **stored, last_used_at=self._clock()))
            if job is not None:
                add_job(connection, dataset_id, job, new.revision, self._clock())
        return new


def _position_after(row: Any, stage: Stage, progress: int, enter: bool) -> tuple[Stage, int] | None:
    """Return where a report takes a dataset, None when that is where it stands."""
    if row["status"] != Status.PROCESSING:
        return None
    current = (Stage(row["stage"]), row["progress"])
    if not enter and stage != current[0]:
        return None
    position = (furthest(stage, current[0]), max(progress, current[1]))
    return None if position == current else position
