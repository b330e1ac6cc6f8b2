"""How far a call is: its stages, how long each may take, and one fraction of the whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from cluster_svc.compiled import ReportFraction

# More often than this nobody looks.
_LEAST_SECONDS = 0.1


class Stage(StrEnum):
    """A step of a call; those of one call come in this order."""

    QUEUED = "queued"
    RECEIVING = "receiving"
    NEIGHBORS = "neighbors"
    CLUSTERS = "clusters"
    LAYERS = "layers"
    STATISTICS = "statistics"
    LAYOUT = "layout"
    ASSIGN = "assign"
    NEAR_DUPLICATES = "near_duplicates"
    SELECTION = "selection"


@dataclass(frozen=True)
class Progress:
    """Where a piece of work stands.

    Attributes
    ----------
    stage : Stage
    fraction : float
        How much of the whole is done, 0 to 1.
    stage_end : float
        The fraction at which the stage will end: as far as anybody may guess before the next news.
    """

    stage: Stage
    fraction: float
    stage_end: float


ReportProgress = Callable[[Progress], None]


def ignore_progress(progress: Progress) -> None:
    """Take progress that nobody asked for."""


class StageProgress:
    """Makes fractions of the whole from fractions of its stages.

    Parameters
    ----------
    seconds
        How long each stage may take, in their order; only the proportions count.
    tell
        Called when a stage begins and ends, and at most ten times a second between.
    """

    def __init__(self, seconds: Mapping[Stage, float], tell: ReportProgress) -> None:
        whole = sum(seconds.values())
        self._ranges: dict[Stage, tuple[float, float]] = {}
        self._tell = tell
        self._told_at = 0.0
        done = 0.0
        for stage, part in seconds.items():
            self._ranges[stage] = (done / whole, (done + part) / whole)
            done += part

    def begin(self, stage: Stage) -> ReportFraction:
        """Tell that a stage begins; return what takes the fractions of it, from 0 to 1."""
        start, end = self._ranges[stage]

        def report(fraction: float) -> None:
            now = time.monotonic()
            if 0 < fraction < 1 and now < self._told_at + _LEAST_SECONDS:
                return
            self._told_at = now
            self._tell(Progress(stage, start + (end - start) * fraction, end))

        report(0.0)
        return report


def part_of(report: ReportFraction, start: float, end: float) -> ReportFraction:
    """Return what reports the fractions of a part that goes from ``start`` to ``end``."""
    return lambda fraction: report(start + (end - start) * fraction)
