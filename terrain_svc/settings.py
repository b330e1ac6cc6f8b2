"""What an operator can set."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of the terrain service, from ``LEVEL_TERRAIN_*`` and a ``.env`` file."""

    model_config = SettingsConfigDict(
        env_prefix="LEVEL_TERRAIN_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    bind: str = "127.0.0.1:50054"
    """Where to listen: ``host:port``, or ``unix:/path``."""

    log_level: str = Field(default="INFO", validation_alias="LEVEL_LOG_LEVEL")
    """Name of the least level that is logged."""

    reflection: bool = False
    """Whether clients may ask for the service's description."""

    grace_seconds: float = Field(default=30.0, ge=0)
    """How long calls may go on after a request to stop."""
