"""`level run`: the whole job on one file, without a browser."""

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from level.client import GatewayClient
from level.errors import CommandFailed
from level.following import build_dataset
from level.input_file import read_table_info
from level.picture import write_picture
from level.private_stack import prepare_command, private_stack
from level.summary import print_summary


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
    """

    file: Path
    out: Path
    fields: dict[str, str]
    weights: dict[str, float] = field(default_factory=dict)
    resampled: dict[str, int] = field(default_factory=dict)
    layer: int | None = None
    data_dir: Path | None = None


def run(options: RunOptions, console: Console) -> None:
    """Do the whole job; the output folder is there only when all of it is.

    Raises
    ------
    CommandFailed
        With the reason.
    """
    prepare_command()
    _check_output(options.out)
    read_table_info(options.file, options.fields.get("text_column"))
    with private_stack(console, options.file, options.data_dir) as client:
        _run_on(client, options, console)


def _run_on(client: GatewayClient, options: RunOptions, console: Console) -> None:
    built = build_dataset(client, options.file, options.fields, console)
    if options.weights:
        client.adjust(built.dataset_id, options.weights)
    terrain = client.terrain(built.dataset_id, options.layer)
    _write_results(client, built.dataset_id, terrain, built.status, options)
    print_summary(terrain, built.status, console)
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


def _check_output(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise CommandFailed(f"{out} is a file; choose another folder with --out.")
    parent = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    if not os.access(parent, os.W_OK):
        raise CommandFailed(f"{parent} cannot be written to; choose another folder with --out.")
