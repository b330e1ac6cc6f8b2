"""A dataset's status as the REST contract shows it; pure."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from gateway.dataset import Dataset, Status


def status_view(dataset: Dataset, ttl_hours: float) -> dict[str, Any]:
    """Return the status of a dataset.

    Parameters
    ----------
    dataset : Dataset
    ttl_hours : float
        Datasets expire this long after their last use; 0 keeps them for ever.
    """
    expires_at = dataset.last_used_at + ttl_hours * 3_600 if ttl_hours else None
    return {
        "dataset_id": dataset.dataset_id,
        "file_name": dataset.file_name,
        "status": dataset.status,
        "progress": dataset.progress,
        "stage": dataset.stage,
        "error": dataset.error,
        "warnings": list(dataset.warnings),
        "text_column": dataset.table["text_column"],
        "row_count": dataset.row_count,
        "cluster_count": dataset.counts.get("cluster_count"),
        "noise_count": dataset.counts.get("noise_count"),
        "truncated_count": dataset.counts.get("truncated_count"),
        "chunked_count": dataset.counts.get("chunked_count"),
        "embedding": _embedding_view(dataset),
        "counts": dataset.counts,
        "timings": dataset.timings,
        "model": dataset.model or None,
        "clustering": dataset.clustering or None,
        "parameters": asdict(dataset.parameters),
        "revision": dataset.revision,
        "created_at": written(dataset.created_at),
        "completed_at": written(dataset.completed_at),
        "expires_at": written(expires_at),
    }


def _embedding_view(dataset: Dataset) -> dict[str, Any] | None:
    progress = dataset.embedding
    if progress is None:
        return None
    goes_on = dataset.status != Status.FAILED
    return {
        "rows_done": progress.done.row_count,
        "row_count": progress.row_count,
        "token_count": progress.done.token_count,
        "rows_per_second": _rounded(progress.rows_per_second, 1),
        "seconds_left": _rounded(progress.seconds_left, 1) if goes_on else None,
        "cached_count": progress.done.cached_count,
        "cache_hit_rate": _rounded(progress.cache_hit_rate, 4),
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def written(moment: float | None) -> str | None:
    """Return seconds since the epoch as ISO 8601 in UTC."""
    if moment is None:
        return None
    written = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return written.replace("+00:00", "Z")
