"""Settings of the gateway and its worker: the only reader of the environment there."""

from pathlib import Path

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_POSTGRES = ("postgres", "postgresql")


def _named(*names: str) -> AliasChoices:
    return AliasChoices(*names)


def _default_store(share: Path | None) -> Path:
    """Return the folder that `level serve` uses too: where the system keeps a user's data."""
    return (share or Path.home() / ".local" / "share") / "level"


class GatewaySettings(BaseSettings):
    """What the gateway and its worker are told from outside; read once, then passed down."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_prefix="LEVEL_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    xdg_data_home: Path | None = Field(None, validation_alias="XDG_DATA_HOME")
    data_dir: Path = Field(default_factory=lambda fields: _default_store(fields["xdg_data_home"]))
    database_url: str = ""
    embedder_address: str = "127.0.0.1:50051"
    cluster_address: str = "127.0.0.1:50052"
    analyzer_address: str = "127.0.0.1:50053"
    terrain_address: str = "127.0.0.1:50054"
    allow_remote: bool = False
    log_level: str = "INFO"

    max_upload_size: int = Field(
        52_428_800, gt=0, validation_alias=_named("MAX_UPLOAD_SIZE", "LEVEL_MAX_UPLOAD_SIZE")
    )
    max_upload_rows: int = Field(1_000_000, gt=0)
    max_upload_columns: int = Field(1_000, gt=0)
    max_cell_bytes: int = Field(1_048_576, gt=0)
    read_memory_mb: int = Field(2_048, ge=256)
    read_seconds: int = Field(120, gt=0)
    upload_rate: str = "5/minute"
    max_concurrent_uploads: int = Field(16, gt=0)
    max_concurrent_exports: int = Field(4, gt=0)
    cors_origins: str = Field(
        "http://localhost:3000", validation_alias=_named("CORS_ORIGINS", "LEVEL_CORS_ORIGINS")
    )
    grid_size: int = Field(
        100, ge=2, le=2048, validation_alias=_named("GRID_SIZE", "LEVEL_GRID_SIZE")
    )
    default_eps: float = Field(
        0.5, gt=0, le=2, validation_alias=_named("DEFAULT_EPS", "LEVEL_DEFAULT_EPS")
    )

    dataset_ttl_hours: float = Field(24.0, ge=0)
    max_datasets_in_memory: int = Field(10, ge=0)
    pipeline_concurrency: int = Field(2, gt=0)
    embedder_calls: int = Field(0, ge=0)
    stream_idle_seconds: float = Field(120.0, gt=0)
    service_patience_seconds: float = Field(180.0, ge=0)

    @field_validator("database_url")
    @classmethod
    def _database_driver_is_ours(cls, value: str) -> str:
        scheme, mark, rest = value.partition("://")
        return f"postgresql+psycopg://{rest}" if mark and scheme in _POSTGRES else value

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_listed(cls, value: str) -> str:
        if "*" in value:
            message = (
                f"CORS_ORIGINS is {value!r}; list each origin that may call, separated by commas,"
                ' like "http://localhost:3000": with * any page on the web could change datasets'
            )
            raise ValueError(message)
        return value

    @field_validator("upload_rate")
    @classmethod
    def _rate_is_readable(cls, value: str) -> str:
        from limits import parse_many

        if value.strip() in {"", "0"}:
            return ""
        try:
            parse_many(value)
        except ValueError as error:
            message = f'LEVEL_UPLOAD_RATE is {value!r}; write it like "5/minute", or 0 for no limit'
            raise ValueError(message) from error
        return value

    @property
    def cors_origin_list(self) -> list[str]:
        """Origins that browsers may call from, exactly as they are to be compared."""
        return [origin.strip() for origin in self.cors_origins.split(",") if origin.strip()]

    @property
    def addresses(self) -> dict[str, str]:
        """Where each service listens, by its name."""
        return {
            "embedder": self.embedder_address,
            "cluster": self.cluster_address,
            "analyzer": self.analyzer_address,
            "terrain": self.terrain_address,
        }

    @property
    def resolved_database_url(self) -> str:
        """The database's URL: as set, else an SQLite file in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'level.sqlite'}"

    @property
    def workflow_database_url(self) -> str:
        """Where the durable pipeline keeps its own tables: the same server, or a file beside."""
        if not self.database_url:
            return f"sqlite:///{self.data_dir.resolve() / 'workflows.sqlite'}"
        if self.database_url.startswith("sqlite"):
            return f"{self.database_url}-workflows"
        return self.database_url
