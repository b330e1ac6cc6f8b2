"""Embeddings in the database: how far each is, and totals over all there ever were."""

from dataclasses import asdict

import sqlalchemy as sa

from gateway.database import Database, embeddings, totals
from gateway.embedding_progress import EmbeddingProgress


def read_progress(connection: sa.Connection, dataset_id: str) -> EmbeddingProgress | None:
    """Return how far the embedding of a dataset is; None before it begins."""
    query = sa.select(embeddings.c.progress).where(embeddings.c.dataset_id == dataset_id)
    value = connection.execute(query).scalar()
    return None if value is None else EmbeddingProgress.from_json(value)


def read_all_progress(connection: sa.Connection) -> dict[str, EmbeddingProgress]:
    """Return how far each embedding is, by the id of its dataset."""
    rows = connection.execute(sa.select(embeddings.c.dataset_id, embeddings.c.progress))
    return {row.dataset_id: EmbeddingProgress.from_json(row.progress) for row in rows}


def write_progress(
    database: Database, connection: sa.Connection, dataset_id: str, progress: EmbeddingProgress
) -> None:
    """Record how far an embedding is; no count of it falls, and totals rise by what is new."""
    earlier = read_progress(connection, dataset_id)
    now = progress if earlier is None else progress.after(earlier)
    if now == earlier:
        return
    before = _totals_of(earlier) if earlier else {}
    for name, value in _totals_of(now).items():
        if amount := value - before.get(name, 0.0):
            connection.execute(database.add_to_total(name, amount))
    row = {"dataset_id": dataset_id, "progress": now.to_json()}
    connection.execute(database.upsert(embeddings, row, ["dataset_id"]))


def read_totals(connection: sa.Connection) -> dict[str, float]:
    """Return the counts of `TextCounts`, and seconds, over all embeddings there ever were."""
    rows = connection.execute(sa.select(totals.c.name, totals.c.value))
    return {row.name: row.value for row in rows}


def _totals_of(progress: EmbeddingProgress) -> dict[str, float]:
    return {**asdict(progress.done), "seconds": progress.seconds}
