"""A job as the REST contract shows it; pure."""

from typing import Any

from gateway.dataset import Dataset
from gateway.jobs import Job
from gateway.plans import is_current
from gateway.status_view import written


def job_view(job: Job, dataset: Dataset) -> dict[str, Any]:
    """Return where a job stands."""
    return {
        "job_id": job.job_id,
        "status": job.status,
        "progress": job.progress,
        "error": job.error,
        "revision": job.revision,
        "is_current": is_current(job, dataset),
        "created_at": written(job.created_at),
        "completed_at": written(job.completed_at),
    }
