"""How much a run over all clusters may ask of a language model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NamingLimits:
    """What bounds the calls of one run.

    Attributes
    ----------
    concurrency : int
        How many calls may be under way at once, at least 1.
    budget_seconds : float
        How long calls are made in all; the clusters left over keep their keyword names.
    failed_clusters : int
        After this many clusters in a row have failed, no more calls are made.
    backoff_seconds : float
        The wait before a second try where the provider names none; it doubles with each try.
    """

    concurrency: int = 8
    budget_seconds: float = 60.0
    failed_clusters: int = 5
    backoff_seconds: float = 0.5


DEFAULT_LIMITS = NamingLimits()
