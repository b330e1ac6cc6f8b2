"""The `level` command: exit code 0 done, 1 failed with a reason, 2 wrong usage, 130 interrupted."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from level import __version__
from level.errors import CommandFailed
from level.settings import CommandSettings

INTERRUPTED = 128 + signal.SIGINT
_DESCRIPTION = (
    "See the shape of a lopsided text dataset as a terrain of hills, level them, and take a"
    " balanced dataset away."
)
_EXAMPLES = """examples:
  level serve                          the page and the API on http://127.0.0.1:8000
  level run messages.csv               the whole job, results in messages-level/
  level run messages.csv --text body   the texts are in the column "body"
  level sample messages.csv            a small dataset to try it with
"""
# Options of `level run` that the gateway takes as fields of the upload.
_FIELDS = (
    "text_column",
    "algorithm",
    "eps",
    "min_samples",
    "min_cluster_size",
    "resolution",
    "seed",
    "exemplar_count",
    "exemplar_kind",
    "long_texts",
    "description",
    "language",
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="level",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"level {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_serve(commands)
    _add_run(commands)
    sample = commands.add_parser("sample", help="write the sample dataset to a file")
    sample.add_argument("file", type=Path, metavar="FILE", help="a CSV file that is not there yet")
    return parser


def _add_serve(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    serve = commands.add_parser("serve", help="run the page, the API and all services")
    serve.add_argument("--host", default="127.0.0.1", help="where to listen (default: %(default)s)")
    serve.add_argument("--port", type=_port, default=8000, help="TCP port (default: %(default)s)")
    serve.add_argument(
        "--data-dir",
        type=Path,
        help="the store's folder (default: LEVEL_DATA_DIR, else ~/.local/share/level)",
    )
    serve.add_argument("--sample", action="store_true", help="load the sample dataset")
    serve.add_argument("--open", action="store_true", help="open the page in a browser")
    serve.add_argument("--no-open", dest="open", action="store_false", help="open no browser")


def _add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    run = commands.add_parser(
        "run",
        help="do the whole job on one file, without a browser",
        description="Read FILE, find its clusters, and write terrain.html, clusters.csv,"
        " layers.csv, weighted.csv and resampled.csv to a folder.",
    )
    run.add_argument("file", type=Path, metavar="FILE", help="a CSV or TSV file with a header")
    run.add_argument(
        "--text-column", "--text", metavar="NAME", help="the column to read (default: detected)"
    )
    run.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help='the output folder (default: FILE\'s name + "-level")',
    )
    run.add_argument("--data-dir", type=Path, help="keep the store here (default: a temporary one)")
    run.add_argument("--algorithm", help="auto, communities, dbscan, hdbscan or kmeans")
    run.add_argument("--eps", type=float, help="DBSCAN: cosine distance (default: automatic)")
    run.add_argument("--min-samples", type=int, help="DBSCAN: neighbours of a core row")
    run.add_argument("--min-cluster-size", type=int, help="rows of the smallest cluster")
    run.add_argument("--resolution", type=float, help="communities: higher gives more clusters")
    run.add_argument("--exemplar-count", type=int, help="exemplars of each cluster, 1 to 10")
    run.add_argument("--exemplar-kind", choices=("central", "diverse"), help="which rows those are")
    run.add_argument(
        "--long-texts",
        choices=("truncate", "mean"),
        help="texts longer than the model reads: their beginning counts, or the mean of their"
        " pieces, which is slower (default: truncate)",
    )
    run.add_argument(
        "--layer",
        type=int,
        metavar="N",
        help="show the clusters of this layer, 0 is the finest (default: about 8 to 80 hills)",
    )
    run.add_argument("--description", help="what the texts are; helps a language model name them")
    run.add_argument("--language", help="language of the names, for example en")
    run.add_argument("--seed", type=int, help="seed of every random choice (default: 0)")
    run.add_argument(
        "--weight",
        action="append",
        type=_weight,
        default=[],
        metavar="ID=WEIGHT",
        help="set a cluster's weight (-1 is noise) before the exports; may be repeated",
    )
    run.add_argument("--rows", type=int, help="rows of resampled.csv (default: as many as came)")
    run.add_argument("--max-repeat", type=int, help="most copies of one row in resampled.csv")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = make_parser().parse_args(arguments)
    console = Console(highlight=False)
    try:
        {"serve": _serve, "run": _run, "sample": _sample}[options.command](options, console)
    except CommandFailed as error:
        Console(stderr=True, highlight=False).print(
            f"level: {error}", style="red", markup=False, soft_wrap=True
        )
        return 1
    except KeyboardInterrupt:
        Console(stderr=True).print("Stopped.")
        return INTERRUPTED
    return 0


def _serve(options: argparse.Namespace, console: Console) -> None:
    from level.checked_settings import check_settings
    from level.server import ServeOptions, check_bind, serve

    check_settings()
    settings = CommandSettings()
    check_bind(options.host, settings.allow_remote)
    data_dir = options.data_dir or settings.store
    open_browser = options.open and (sys.platform == "darwin" or bool(settings.display))
    serve(ServeOptions(options.host, options.port, data_dir, options.sample, open_browser), console)


def _run(options: argparse.Namespace, console: Console) -> None:
    from level.checked_settings import check_settings
    from level.headless import RunOptions, run

    check_settings()
    # Ended from outside, it leaves as little behind as after Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    given = {name: getattr(options, name) for name in _FIELDS}
    resampled = {"rows": options.rows, "max_repeat": options.max_repeat, "seed": options.seed}
    run(
        RunOptions(
            file=options.file,
            out=options.out or Path(f"{options.file.stem}-level"),
            fields={name: str(value) for name, value in given.items() if value is not None},
            weights=dict(options.weight),
            resampled={name: value for name, value in resampled.items() if value is not None},
            layer=options.layer,
            data_dir=options.data_dir,
            max_upload_size=CommandSettings().max_upload_size,
        ),
        console,
    )


def _sample(options: argparse.Namespace, console: Console) -> None:
    from level.sample import write_sample

    if options.file.exists():
        raise CommandFailed(f"{options.file} is there already; choose another name.")
    try:
        write_sample(options.file)
    except OSError as error:
        raise CommandFailed(f"{options.file} cannot be written: {error.strerror}.") from error
    console.print(f"Written to {options.file}.", markup=False)


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return port


def _weight(text: str) -> tuple[str, float]:
    cluster, _, weight = text.partition("=")
    try:
        return str(int(cluster)), float(weight)
    except ValueError as error:
        message = f"{text!r} is not like 3=0.5"
        raise argparse.ArgumentTypeError(message) from error


if __name__ == "__main__":
    sys.exit(main())
