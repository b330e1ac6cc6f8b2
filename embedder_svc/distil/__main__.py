"""Makes a folder with a static model: ``python -m embedder_svc.distil MODEL FOLDER``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from embedder_svc.distil.distillation import DIMENSION_COUNT, distil
from embedder_svc.distil.static_files import write_static_model
from embedder_svc.errors import ModelNotLoaded
from embedder_svc.loading import load_model
from embedder_svc.model import EmbeddingModel
from embedder_svc.model_files import ModelFiles, read_model_files
from embedder_svc.settings import Settings
from embedder_svc.tokenising import read_tokenizer
from embedder_svc.weights import find_model

_DESCRIPTION = (
    "Make a static model of MODEL: a table of token vectors that embeds a hundred times as fast,"
    " for a preview, and finds less. Set LEVEL_EMBEDDER_MODEL to the folder to use it."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 when the folder is written, 1 when it could not be."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True)
    if options.folder.exists():
        console.print(f"{options.folder} is there already; name another folder.", style="red")
        return 1
    settings = Settings()
    try:
        files = read_model_files(
            find_model(options.model, settings.minilm_dir, options.revision or settings.revision)
        )
        model = load_model(
            options.model,
            backend=options.backend,
            threads=settings.threads,
            cache_dir=settings.cache_dir,
            minilm_dir=settings.minilm_dir,
            revision=options.revision or settings.revision,
        )
        _write(options.folder, files, model, options.dimensions, console)
    except (ModelNotLoaded, OSError) as error:
        console.print(str(error), style="red", markup=False)
        return 1
    console.print(f"{options.folder}: set LEVEL_EMBEDDER_MODEL to it.", markup=False)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m embedder_svc.distil", description=_DESCRIPTION)
    parser.add_argument("model", metavar="MODEL", help="a model id of the hub, or a folder")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="where to write; made anew")
    parser.add_argument(
        "--dimensions",
        type=_positive,
        default=DIMENSION_COUNT,
        help="length of the vectors (default: %(default)s)",
    )
    parser.add_argument("--backend", default="auto", help="the library that runs MODEL")
    parser.add_argument("--revision", default="", help="the commit, branch or tag of the hub")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _write(
    folder: Path, files: ModelFiles, model: EmbeddingModel, dimensions: int, console: Console
) -> None:
    columns = (TextColumn("tokens"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("tokens", total=None)

        def report(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        table = distil(model, read_tokenizer(files), dimensions, report)
    write_static_model(folder, files, table, model.info.model_id)


if __name__ == "__main__":
    sys.exit(main())
