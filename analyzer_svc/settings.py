"""What an operator can set."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from analyzer_svc.limits import NamingLimits
from level_rpc.limits import IDLE_SECONDS


class Settings(BaseSettings):
    """Settings of the analyzer service, from the environment and a ``.env`` file."""

    model_config = SettingsConfigDict(
        env_prefix="LEVEL_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    analyzer_bind: str = "127.0.0.1:50053"
    """Where to listen: ``host:port``, or ``unix:/path``."""

    analyzer_idle_seconds: float = Field(default=IDLE_SECONDS, gt=0)
    """How long a client may be silent while it sends."""

    log_level: str = "INFO"
    """Name of the least level that is logged."""

    analyzer_reflection: bool = False
    """Whether clients may ask for the service's description."""

    analyzer_grace_seconds: float = Field(default=30.0, ge=0)
    """How long calls may go on after a request to stop."""

    gemini_api_key: SecretStr | None = Field(default=None, validation_alias="GEMINI_API_KEY")
    """Key for Gemini; without one, names are keywords."""

    gemini_model: str = Field(default="gemini-3.5-flash-lite", pattern=r"^[A-Za-z0-9._/-]+$")
    """Id of the Gemini model."""

    gemini_base_url: str | None = None
    """Where Gemini's API is, for a proxy; it is sent the key. Google's own by default."""

    gemini_max_output_tokens: int = Field(default=100, ge=20, le=8192)
    """How long an answer may be; a model that thinks before it answers needs more."""

    llm_concurrency: int = Field(default=8, ge=1, le=256)
    """How many calls may be under way at once."""

    llm_timeout_seconds: float = Field(default=15.0, gt=0)
    """How long one call may take."""

    llm_budget_seconds: float = Field(default=60.0, gt=0)
    """How long calls are made for one dataset; clusters left over keep their keyword names."""

    @field_validator("gemini_api_key", "gemini_base_url", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        """Return None for an empty value: compose files pass variables on that are not set."""
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("gemini_base_url")
    @classmethod
    def _keeps_the_key(cls, value: str | None) -> str | None:
        """Return the address if the key can be sent there unread by others."""
        if value is None:
            return None
        address = urlsplit(value)
        encrypted = address.scheme == "https" and address.hostname
        if not encrypted and not (address.scheme == "http" and _is_local(address.hostname or "")):
            raise ValueError(
                "LEVEL_GEMINI_BASE_URL is sent the key: it must start with https://, or with "
                "http:// and be on this machine"
            )
        return value

    def naming_limits(self) -> NamingLimits:
        """Return the bounds of the calls for one dataset."""
        return NamingLimits(
            concurrency=self.llm_concurrency, budget_seconds=self.llm_budget_seconds
        )


def _is_local(host: str) -> bool:
    """Return whether the host is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
