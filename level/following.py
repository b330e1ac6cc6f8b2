"""What several commands do with a gateway: make a dataset, and see a job through."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from level.client import GatewayClient
from level.errors import CommandFailed
from level.progress import show_job_progress, show_progress
from level.summary import print_note


@dataclass(frozen=True)
class BuiltDataset:
    """A completed dataset.

    Attributes
    ----------
    dataset_id : str
    status : dict
        Its last status.
    """

    dataset_id: str
    status: dict[str, Any]


def build_dataset(
    client: GatewayClient,
    file: Path,
    fields: dict[str, str],
    console: Console,
    file_name: str | None = None,
) -> BuiltDataset:
    """Upload a file and wait until it is clustered; progress and warnings go to the console.

    Parameters
    ----------
    client : GatewayClient
    file : Path
    fields : dict of str to str
        Form fields of the upload.
    console : Console
    file_name : str, optional
        The name to upload it under; its own otherwise.

    Raises
    ------
    CommandFailed
        When the file is refused, or what comes of it fails.
    """
    dataset_id = client.upload(file, fields, file_name)["dataset_id"]
    status = show_progress(client.follow(dataset_id), console)
    for warning in status.get("warnings", ()):
        print_note(warning, console)
    if status["status"] == "failed":
        raise CommandFailed(status["error"])
    return BuiltDataset(dataset_id, status)


def apply_level(
    client: GatewayClient, dataset_id: str, body: Mapping[str, Any], console: Console
) -> dict[str, Any]:
    """Level a dataset, wait for its rows, and return the plan, with `noise_effects`.

    Raises
    ------
    CommandFailed
        When it is refused or fails.
    """
    answer = client.level(dataset_id, {**body, "apply": True})
    plan = see_through(client.follow_level(dataset_id), "Choosing rows", console)
    return {**plan, "noise_effects": answer["noise_effects"]}


def see_through(states: Iterator[dict[str, Any]], title: str, console: Console) -> dict[str, Any]:
    """Show a job's progress and return its last state; raise CommandFailed when it failed."""
    state = show_job_progress(states, title, console)
    if state["status"] == "failed":
        raise CommandFailed(state["error"])
    return state
