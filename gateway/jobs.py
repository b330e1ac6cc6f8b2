"""Work on a dataset that outlives the request that asked for it: what it is; pure."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import uuid4

from gateway.dataset import Status


class JobKind(StrEnum):
    """What a job makes: the dataset itself, the plan of a levelling, or the proof of one."""

    BUILD = "build"
    LEVEL = "level"
    PROVE = "prove"


@dataclass(frozen=True)
class UnfinishedJob:
    """A job that some worker must have in hand."""

    job_id: str
    dataset_id: str
    kind: JobKind


@dataclass(frozen=True)
class NewJob:
    """What is asked of a job; `request_id` is that of the call, under which all of it is logged.

    `request` is JSON values.
    """

    kind: JobKind
    request: dict[str, Any]
    request_id: str
    job_id: str = field(default_factory=lambda: str(uuid4()))


@dataclass(frozen=True)
class Job:
    """A job on a completed dataset and what came of it.

    Attributes
    ----------
    revision : int
        Of the weights that the job belongs to.
    status : Status
        That of its dataset never changes with it.
    progress : int
        0 to 100; never falls.
    error : str, optional
        Why it failed, for people.
    result : dict, optional
        JSON values; None until it is completed.
    """

    job_id: str
    dataset_id: str
    kind: JobKind
    request_id: str
    request: dict[str, Any]
    revision: int
    status: Status
    progress: int
    error: str | None
    result: dict[str, Any] | None
    created_at: float
    completed_at: float | None
