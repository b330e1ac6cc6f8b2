"""The plan of a levelling as it is stored: which rows stay, how often, and what they weigh."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.artifacts import ArtifactStore
from gateway.dataset import Dataset, Status
from gateway.errors import PlanMissing, PlanNotReady, PlanStale
from gateway.job_store import JobStore
from gateway.jobs import Job, JobKind

PLAN_ARRAYS = ("plan_copies", "plan_weights", "plan_reasons", "plan_groups")
PLAN_FILES = "plan_*.npy"


@dataclass(frozen=True, eq=False)
class StoredPlan:
    """A plan that fits the weights of its dataset.

    Attributes
    ----------
    job_id : str
    revision : int
        Of the weights that it belongs to.
    described : dict
        JSON values: `request`, as POST /api/level takes it, `solution`, `metrics`, `coverage` and
        `notes`, as GET /api/level answers them.
    copies : ndarray of shape (row_count,), int32
        How often each row stands in the levelled dataset; 0 where it is left out.
    sample_weight : ndarray of shape (row_count,), float64
        Mean 1 over the rows that stay, 0 elsewhere; counts the copies.
    reasons : ndarray of shape (row_count,), uint8
        `levelling.plans.plan_types.Reason` of each row.
    near_dup_groups : ndarray of shape (row_count,), int32
        The group of near-duplicates of each row, at the distance of the plan.
    """

    job_id: str
    revision: int
    described: dict[str, Any]
    copies: NDArray[np.int32]
    sample_weight: NDArray[np.float64]
    reasons: NDArray[np.uint8]
    near_dup_groups: NDArray[np.int32]


def current_plan(jobs: JobStore, artifacts: ArtifactStore, dataset: Dataset) -> StoredPlan:
    """Return the plan of a completed dataset; blocks. Its arrays are read-only maps.

    Raises
    ------
    PlanMissing
        When none was asked for, or making it failed.
    PlanNotReady
        When it is being made.
    PlanStale
        When the weights were changed since.
    ArtifactDamaged
        When a stored file is missing or was changed.
    """
    job = jobs.find(dataset.dataset_id, JobKind.LEVEL)
    if job is None or job.status == Status.FAILED:
        raise PlanMissing(job.error if job else None)
    if job.status == Status.PROCESSING:
        raise PlanNotReady
    if not is_current(job, dataset):
        raise PlanStale(job.revision, dataset.revision)
    files = [dataset.artifacts.get(name) for name in PLAN_ARRAYS]
    if [file and file.path for file in files] != plan_files(job.job_id):
        raise PlanNotReady  # it was completed after the dataset was read: there next time
    copies, weights, reasons, groups = (
        artifacts.open_array(dataset.dataset_id, file) for file in files if file
    )
    assert job.result is not None
    return StoredPlan(job.job_id, job.revision, job.result, copies, weights, reasons, groups)


@dataclass(frozen=True)
class PlanFigures:
    """What a levelling came to, for as long as the weights are its own.

    Attributes
    ----------
    job_id : str
    layer : int
        The layer that was levelled.
    after : dict
        Every figure of balance of the levelled rows, as JSON values.
    """

    job_id: str
    layer: int
    after: dict[str, Any]


def current_figures(jobs: JobStore, dataset_id: str, revision: int) -> PlanFigures | None:
    """Return the figures of the plan of this revision of the weights; blocks.

    None where there is no completed one.
    """
    job = jobs.find(dataset_id, JobKind.LEVEL)
    if job is None or job.status != Status.COMPLETED or job.revision != revision:
        return None
    result = job.result or {}
    return PlanFigures(job.job_id, result["layer"], result["metrics"]["after"])


def plan_files(job_id: str) -> list[str]:
    """Return the file of each array of a job's plan.

    Each plan has files of its own, so that a reader of the last one is not disturbed.
    """
    return [f"{name}-{job_id}.npy" for name in PLAN_ARRAYS]


def is_current(job: Job, dataset: Dataset) -> bool:
    """Return whether the weights are still those that a levelling set."""
    return job.revision == dataset.revision
