"""How the compute process works, whatever the job."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ComputeOptions:
    """How the compute process works, whatever the job.

    Attributes
    ----------
    thread_count : int
        Threads that compute at once, at least 1.
    engine : str
        Where nearest neighbours are sought: ``local``, or ``ray``.
    ray_address : str
        Of the Ray cluster; empty for the one that runs on this machine.
    device : str
        What seeks them locally: ``auto``, ``cpu`` or ``cuda``.
    """

    thread_count: int = 1
    engine: str = "local"
    ray_address: str = ""
    device: str = "auto"
