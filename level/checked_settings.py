"""Finds settings that no part would start with, before any of them is started."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from pydantic import AliasChoices, BaseModel, ValidationError

from level.errors import CommandFailed

_SETTINGS = (
    ("gateway.settings", "GatewaySettings"),
    ("embedder_svc.settings", "Settings"),
    ("cluster_svc.settings", "Settings"),
    ("analyzer_svc.settings", "Settings"),
    ("terrain_svc.settings", "Settings"),
)


def check_settings() -> None:
    """Read the settings of every part once, as each will when it starts.

    Raises
    ------
    CommandFailed
        One or more cannot be read; the message names their variables and what they may be.
    """
    problems = [problem for module, name in _SETTINGS for problem in _problems(module, name)]
    if problems:
        raise CommandFailed("; ".join(dict.fromkeys(problems)) + ". Mend or unset what is named.")


def _problems(module: str, name: str) -> Iterator[str]:
    try:
        settings = getattr(import_module(module), name)
    except ImportError:
        return  # A part that is not installed is named by whoever starts it.
    try:
        settings()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            yield f"{_variable(settings, problem['loc'])}: {problem['msg']}"


def _variable(settings: type[BaseModel], place: tuple[int | str, ...]) -> str:
    """Return the environment variable behind a place in the settings."""
    name = str(place[0]) if place else ""
    field: Any = settings.model_fields.get(name)
    if field is None:
        return name.upper()
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        alias = alias.choices[0]
    return str(alias or f"{settings.model_config.get('env_prefix', '')}{name}").upper()
