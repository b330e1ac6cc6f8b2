"""What the durable worker is told of each kind of job: how it runs, and how it ends."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from gateway.errors import DatasetNotFound, JobGone
from gateway.jobs import JobKind, UnfinishedJob
from gateway.worker.transient import is_transient
from level_rpc.errors import LevelError

log = structlog.get_logger(__name__)
Outcome = dict[str, Any]
DurableStep = Callable[[str, Callable[[], Awaitable[Outcome]]], Awaitable[Outcome]]


class JobRunner(Protocol):
    """One kind of job.

    Attributes
    ----------
    kind : JobKind
        Also the name of the queue.
    workflow : str
        The durable name of what `run` does.
    """

    kind: JobKind
    workflow: str

    def subject(self, job: UnfinishedJob) -> str:
        """Return the one argument of `run`: the id of what is worked on."""

    async def run(self, subject: str, step: DurableStep) -> None:
        """Do the job and record how it ended. What a step answered is never asked of it again."""

    async def is_unfinished(self, subject: str) -> bool:
        """Return whether somebody still waits for the job to end."""

    async def give_up(self, subject: str) -> None:
        """Record that the work stopped without a reason that it could have told."""


@dataclass(frozen=True)
class Failure:
    """Why a step ended its job; `error` is None where nobody is left to be told."""

    error: str | None


async def guarded(
    work: Callable[[], Awaitable[Any]],
    step: str,
    is_gone: Callable[[], Awaitable[bool]],
    **known: str,
) -> Outcome:
    """Return the outcome of a step as plain JSON, so that a replay sees just what was seen.

    Parameters
    ----------
    work : callable
        The step; what it returns is JSON.
    step : str
        Its name, for people.
    is_gone : callable
        Whether the subject was deleted meanwhile, which explains any error.
    **known : str
        What log lines name the subject by.
    """
    try:
        return {"ended": False, "error": None, "stored": await work()}
    except Exception as error:
        gone = isinstance(error, DatasetNotFound | JobGone) or await is_gone()
        return {"ended": True, "error": None if gone else _explain(error, step, known)}


def failure_of(outcomes: list[Outcome]) -> Failure | None:
    """Return why the first of these steps that failed did, None when none did."""
    ended = [outcome["error"] for outcome in outcomes if outcome["ended"]]
    if not ended:
        return None
    return Failure(next((error for error in ended if error), None))


def _explain(error: Exception, step: str, known: dict[str, str]) -> str:
    if isinstance(error, LevelError):
        log.warning("job_failed", step=step, reason=error.reason, **known)
        return f"{error} (stage: {step})" if is_transient(error) else str(error)
    log.error("job_failed_unexpectedly", step=step, exc_info=error, **known)
    return "Internal error; the worker's log has the details."
