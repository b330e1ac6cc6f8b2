"""What an operator can set."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from cluster_svc.compute_options import ComputeOptions
from level_rpc.limits import IDLE_SECONDS


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


class Settings(BaseSettings):
    """Settings of the cluster service, from ``LEVEL_CLUSTER_*`` and a ``.env`` file."""

    model_config = SettingsConfigDict(
        env_prefix="LEVEL_CLUSTER_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    bind: str = "127.0.0.1:50052"
    """Where to listen: ``host:port``, or ``unix:/path``."""

    default_eps: float = Field(
        default=0.5,
        gt=0,
        le=2,
        validation_alias=AliasChoices("LEVEL_CLUSTER_DEFAULT_EPS", "DEFAULT_EPS"),
    )
    """The eps of DBSCAN where automatic eps is off and none is given."""

    threads: int = Field(default_factory=count_cores, ge=1)
    """Threads that compute at once."""

    engine: Literal["local", "ray"] = "local"
    """Where nearest neighbours are sought: in the compute process, or on a Ray cluster."""

    ray_address: str = ""
    """Of the Ray cluster: ``host:port``, ``ray://host:port``; empty is the one on this machine."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """What seeks nearest neighbours locally; ``auto`` takes a GPU where torch finds one."""

    queue_limit: int = Field(default=8, ge=0)
    """Calls that may wait while one computes."""

    max_array_bytes: int = Field(default=2**33, ge=2**20)
    """The largest array of a request; two million vectors of 1,024 fit."""

    idle_seconds: float = Field(default=IDLE_SECONDS, gt=0)
    """How long a client may be silent while it sends."""

    log_level: str = Field(default="INFO", validation_alias="LEVEL_LOG_LEVEL")
    """Name of the least level that is logged."""

    reflection: bool = False
    """Whether clients may ask for the service's description."""

    grace_seconds: float = Field(default=30.0, ge=0)
    """How long calls may go on after a request to stop."""

    def compute_options(self) -> ComputeOptions:
        """Return how whatever computes is to work."""
        return ComputeOptions(self.threads, self.engine, self.ray_address, self.device)
