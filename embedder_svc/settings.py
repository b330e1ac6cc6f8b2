"""What an operator can set."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from embedder_svc.choice import AUTO
from embedder_svc.model import DEFAULT_CACHE_DIR, Backend, Precision
from level_rpc.limits import IDLE_SECONDS


class Settings(BaseSettings):
    """Settings of the embedder, from ``LEVEL_EMBEDDER_*`` and a ``.env`` file."""

    model_config = SettingsConfigDict(
        env_prefix="LEVEL_EMBEDDER_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    bind: str = "127.0.0.1:50051"
    """Where to listen: ``host:port``, or ``unix:/path``."""

    model: str = AUTO
    """A model id of the Hugging Face hub, a folder, or "auto": by what this machine has."""

    revision: str = ""
    """The commit, branch or tag of a hub model that is loaded; empty: its main branch."""

    backend: Backend = Backend.AUTO
    """The library that runs the model; "auto" chooses by model."""

    precision: Precision = Precision.AUTO
    """How the model computes; "auto" chooses by model and machine."""

    dimensions: int = Field(default=0, ge=0)
    """Length that vectors are cut to, for models trained for it; 0 leaves them whole."""

    threads: int = Field(default=0, ge=0)
    """Threads that compute; 0 takes all cores that the process may use."""

    ray_address: str = ""
    """Of a Ray cluster whose nodes embed: ``host:port``, ``ray://host:port`` or "auto"."""

    ray_actors: int = Field(default=0, ge=0)
    """Actors on that cluster; 0: one for each GPU, or as many as its cores allow."""

    minilm_dir: Path | None = Field(default=None, validation_alias="LEVEL_MINILM_DIR")
    """Folder with the files of all-MiniLM-L6-v2; unset: the installed package, then the hub."""

    cache_dir: Path = Field(default=DEFAULT_CACHE_DIR, validation_alias="LEVEL_CACHE_DIR")
    """Where graphs built from a model's weights, and vectors, are kept."""

    cache_mib: int = Field(default=2048, ge=0)
    """Most MiB of vectors kept on disk, of all models together; 0 keeps none."""

    idle_seconds: float = Field(default=IDLE_SECONDS, gt=0)
    """How long a client may be silent while it sends."""

    log_level: str = Field(default="INFO", validation_alias="LEVEL_LOG_LEVEL")
    """Name of the least level that is logged."""

    reflection: bool = False
    """Whether clients may ask for the service's description."""

    grace_seconds: float = Field(default=30.0, ge=0)
    """How long calls may go on after a request to stop."""
