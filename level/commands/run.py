"""`level run`: the whole job on one file, without a browser."""

import argparse
from pathlib import Path

from rich.console import Console

from level.commands import Subparsers
from level.commands.options import (
    add_clustering_options,
    add_naming_options,
    add_text_column,
    cluster_weight,
    upload_fields,
)


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Add the verb to the command line."""
    parser = commands.add_parser(
        "run",
        help="do the whole job on one file, without a browser",
        description="Read FILE, find its clusters, and write terrain.html, clusters.csv,"
        " layers.csv, weighted.csv and resampled.csv to a folder.",
    )
    parser.set_defaults(do=run)
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="a CSV or TSV file with a header")
    add_text_column(parser)
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help='the output folder (default: FILE\'s name + "-level")',
    )
    add("--data-dir", type=Path, help="keep the store here (default: a temporary one)")
    add_clustering_options(parser)
    add_naming_options(parser)
    add(
        "--layer",
        type=int,
        metavar="N",
        help="show the clusters of this layer, 0 is the finest (default: about 8 to 80 hills)",
    )
    add("--seed", type=int, help="seed of every random choice (default: 0)")
    add(
        "--weight",
        action="append",
        type=cluster_weight,
        default=[],
        metavar="ID=WEIGHT",
        help="set a cluster's weight, or noise=WEIGHT, before the exports; may be repeated",
    )
    add("--rows", type=int, help="rows of resampled.csv (default: as many as came)")
    add("--max-repeat", type=int, help="most copies of one row in resampled.csv")


def run(options: argparse.Namespace, console: Console) -> None:
    """Do the job."""
    from level.headless import RunOptions, run

    resampled = {"rows": options.rows, "max_repeat": options.max_repeat, "seed": options.seed}
    run(
        RunOptions(
            file=options.file,
            out=options.out or Path(f"{options.file.stem}-level"),
            fields=upload_fields(options),
            weights=dict(options.weight),
            resampled={name: value for name, value in resampled.items() if value is not None},
            layer=options.layer,
            data_dir=options.data_dir,
        ),
        console,
    )
