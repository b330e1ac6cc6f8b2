"""Rows of the database as values, and the statements that name one dataset."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

import sqlalchemy as sa

from gateway.database import datasets
from gateway.dataset import (
    Artifact,
    ClusterName,
    Dataset,
    PipelineParameters,
    Stage,
    Status,
    WeightsRevision,
)
from gateway.embedding_progress import EmbeddingProgress
from gateway.errors import DatasetNotFound

# Weights grow with the clusters and are read by themselves: status is asked for far more often.
WITHOUT_WEIGHTS = [column for column in datasets.c if column.name != "weights"]


def dataset_row(connection: sa.Connection, dataset_id: str, locked: bool = False) -> Any:
    """Return a dataset's row without weights, kept from others until the commit when `locked`."""
    return _one_row(connection, sa.select(*WITHOUT_WEIGHTS), dataset_id, locked)


def weights_row(connection: sa.Connection, dataset_id: str, locked: bool = False) -> Any:
    """Return the revision and weights of a dataset, as `dataset_row`."""
    query = sa.select(datasets.c.revision, datasets.c.weights)
    return _one_row(connection, query, dataset_id, locked)


def update_dataset(dataset_id: str, **values: Any) -> Any:
    """Return the statement that sets columns of one dataset."""
    return sa.update(datasets).where(datasets.c.dataset_id == dataset_id).values(**values)


def to_dataset(
    row: Any, files: Iterable[Artifact], embedding: EmbeddingProgress | None = None
) -> Dataset:
    """Return the dataset of a row, its files and the progress of its embedding."""
    return Dataset(
        dataset_id=row["dataset_id"],
        request_id=row["request_id"],
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
        embedding=embedding,
    )


def to_artifact(row: Any) -> Artifact:
    """Return the artifact of a row."""
    values = {name: row[name] for name in Artifact.__dataclass_fields__}
    return replace(Artifact(**values), parents=tuple(row["parents"]))


def from_artifact(dataset_id: str, artifact: Artifact) -> dict[str, Any]:
    """Return the row of an artifact."""
    return {**asdict(artifact), "dataset_id": dataset_id, "parents": list(artifact.parents)}


def to_name(row: Any) -> ClusterName:
    """Return the cluster name of a row."""
    values = {name: row[name] for name in ClusterName.__dataclass_fields__}
    return replace(ClusterName(**values), keywords=tuple(row["keywords"]))


def from_name(dataset_id: str, name: ClusterName) -> dict[str, Any]:
    """Return the row of a cluster name."""
    return {**asdict(name), "dataset_id": dataset_id, "keywords": list(name.keywords)}


def to_weights(row: Any) -> WeightsRevision:
    """Return the weights of a row; JSON has turned their cluster ids into strings."""
    weights = {int(cluster): float(weight) for cluster, weight in row["weights"].items()}
    return WeightsRevision(row["revision"], weights)


def from_weights(weights: WeightsRevision) -> dict[str, Any]:
    """Return the columns of weights."""
    stored = {str(cluster): weight for cluster, weight in weights.weights.items()}
    return {"revision": weights.revision, "weights": stored}


def _one_row(connection: sa.Connection, query: Any, dataset_id: str, locked: bool) -> Any:
    query = query.where(datasets.c.dataset_id == dataset_id)
    row = connection.execute(query.with_for_update() if locked else query).mappings().first()
    if row is None:
        raise DatasetNotFound
    return row
