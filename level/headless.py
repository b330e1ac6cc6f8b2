"""`level run`: the whole job on one file, without a browser."""

import os
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from level.client import GatewayClient
from level.errors import CommandFailed
from level.picture import write_picture
from level.progress import show_progress
from level.stack import LocalStack
from level.summary import print_summary

UPLOAD_SLACK_BYTES = 1 << 20
REQUEST_SECONDS = 600.0


@dataclass(frozen=True)
class RunOptions:
    """What `level run` was asked.

    Attributes
    ----------
    file : Path
        The table to read.
    out : Path
        The folder for the results.
    fields : dict of str to str
        Form fields of the upload: text column, algorithm, seed and so on.
    weights : dict of str to float
        Weights to set before the exports, by cluster id.
    resampled : dict of str to int
        `rows`, `seed` and `max_repeat` of resampled.csv, where given.
    layer : int, optional
        The layer that is shown, by its index from the finest; the terrain layer otherwise.
    data_dir : Path, optional
        A store to keep; a temporary one otherwise.
    max_upload_size : int
        Bytes that are taken in any case; the file's own size is always enough.
    """

    file: Path
    out: Path
    fields: dict[str, str]
    weights: dict[str, float] = field(default_factory=dict)
    resampled: dict[str, int] = field(default_factory=dict)
    layer: int | None = None
    data_dir: Path | None = None
    max_upload_size: int = 0


def run(options: RunOptions, console: Console) -> None:
    """Do the whole job; the output folder is there only when all of it is.

    Raises
    ------
    CommandFailed
        With the reason.
    """
    _check_input(options.file)
    _check_output(options.out)
    with ExitStack() as cleanup:
        data_dir = options.data_dir
        if data_dir is None:
            data_dir = Path(tempfile.mkdtemp(prefix="level-run-"))
            cleanup.callback(shutil.rmtree, data_dir, ignore_errors=True)
        with console.status("Starting …"):
            stack = cleanup.enter_context(
                LocalStack(data_dir, environment=_environment(options, data_dir))
            )
        client = GatewayClient(cleanup.enter_context(stack.client(timeout=REQUEST_SECONDS)))
        _run_on(client, options, console)


def _run_on(client: GatewayClient, options: RunOptions, console: Console) -> None:
    answer = client.upload(options.file, options.fields)
    dataset_id = answer["dataset_id"]
    status = show_progress(client.follow(dataset_id), console)
    for warning in status.get("warnings", ()):
        console.print(f"Note: {warning}", style="yellow", markup=False)
    if status["status"] == "failed":
        raise CommandFailed(status["error"])
    if options.weights:
        client.adjust(dataset_id, options.weights)
    terrain = client.terrain(dataset_id, options.layer)
    _write_results(client, dataset_id, terrain, status, options)
    print_summary(terrain, status, console)
    console.print(f"Written to {options.out}:", markup=False)
    for name in ("terrain.html", "clusters.csv", "layers.csv", "weighted.csv", "resampled.csv"):
        console.print(f"  {name}", markup=False)


def _write_results(
    client: GatewayClient,
    dataset_id: str,
    terrain: dict[str, Any],
    status: dict[str, Any],
    options: RunOptions,
) -> None:
    """Write all files beside the output folder first, so that a failure leaves no half of them."""
    out = options.out
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        fresh.chmod(0o755)
        write_picture(terrain, status, fresh / "terrain.html")
        layer = {"layer": terrain["layer"]}
        client.export(dataset_id, fresh / "clusters.csv", format="clusters", **layer)
        client.export(dataset_id, fresh / "layers.csv", format="layers")
        client.export(dataset_id, fresh / "weighted.csv", format="weighted")
        client.export(dataset_id, fresh / "resampled.csv", format="resampled", **options.resampled)
        out.mkdir(exist_ok=True)
        for path in fresh.iterdir():
            os.replace(path, out / path.name)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _check_input(file: Path) -> None:
    if file.is_dir():
        raise CommandFailed(f"{file} is a folder; give a CSV file.")
    if not file.exists():
        raise CommandFailed(f"There is no file {file}.")
    if not os.access(file, os.R_OK):
        raise CommandFailed(f"{file} cannot be read: permission denied.")


def _check_output(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise CommandFailed(f"{out} is a file; choose another folder with --out.")
    parent = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    if not os.access(parent, os.W_OK):
        raise CommandFailed(f"{parent} cannot be written to; choose another folder with --out.")


def _environment(options: RunOptions, data_dir: Path) -> dict[str, str]:
    """Return settings for a private stack.

    Its database is its own, whatever is set for others: a shared one would hand its jobs to workers
    that have not its files. The file's own size is never too large.
    """
    size = max(options.max_upload_size, options.file.stat().st_size + UPLOAD_SLACK_BYTES)
    return {
        "LEVEL_DATABASE_URL": f"sqlite:///{data_dir.resolve()}/level.sqlite",
        "LEVEL_UPLOAD_RATE": "0",
        "MAX_UPLOAD_SIZE": str(size),
    }
