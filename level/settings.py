"""Settings of the command line: the only reader of the environment in this package."""

from pathlib import Path

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class CommandSettings(BaseSettings):
    """What the `level` command is told from outside; options on the command line come first."""

    model_config = SettingsConfigDict(
        env_file=".env", env_prefix="LEVEL_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    data_dir: Path | None = None
    allow_remote: bool = False
    max_upload_size: int = Field(
        0, validation_alias=AliasChoices("MAX_UPLOAD_SIZE", "LEVEL_MAX_UPLOAD_SIZE")
    )
    xdg_data_home: Path | None = Field(None, validation_alias="XDG_DATA_HOME")
    display: str = Field("", validation_alias=AliasChoices("DISPLAY", "WAYLAND_DISPLAY"))

    @property
    def store(self) -> Path:
        """The store's folder: as set, else where the system keeps a user's data."""
        share = self.xdg_data_home or Path.home() / ".local" / "share"
        return self.data_dir or share / "level"
