"""`level check`: limits that a file must keep, for CI."""

import argparse
from pathlib import Path

from rich.console import Console

from level.commands import Subparsers
from level.commands.options import (
    add_clustering_options,
    add_json,
    add_text_column,
    quiet_console,
    share,
    upload_fields,
    write_json,
)

_EPILOG = """examples:
  level check train.csv --max-gini 0.4 --max-duplicates 0.1
  level check train.csv --no-leak test.csv --json

exit code 0 every limit is kept, 1 it could not be done, 2 wrong usage, 3 a limit is passed
"""


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Add the verb to the command line."""
    parser = commands.add_parser(
        "check",
        help="check that a file keeps limits; for CI",
        description="Read FILE, find its clusters, and say whether it keeps the limits given.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(do=run)
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="a CSV or TSV file with a header")
    add_text_column(parser)
    _add_limits(parser)
    add("--layer", type=int, metavar="N", help="measure the clusters of this layer")
    add("--seed", type=int, help="seed of every random choice (default: 0)")
    add_json(parser)
    add_clustering_options(parser)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("limits").add_argument
    add("--max-gini", type=share, metavar="G", help="of the clusters' sizes, 0 to 1")
    add("--min-flatness", type=share, metavar="F", help="of the clusters' sizes, 0 to 1")
    add("--max-duplicates", type=share, metavar="S", help="share of rows that are copies")
    add("--max-noise", type=share, metavar="S", help="share of rows in no cluster")
    add(
        "--no-leak",
        type=Path,
        metavar="TEST",
        help="no row of this table, which may be small, may be in FILE: neither its text, case,"
        " spacing and full stops apart, nor one within --duplicate-distance",
    )
    add("--leak-text", metavar="NAME", help="the column to read of TEST (default: FILE's)")
    add(
        "--duplicate-distance",
        type=float,
        metavar="D",
        help="cosine distance up to which rows are near-duplicates (default: 0.05)",
    )


def run(options: argparse.Namespace, console: Console) -> int:
    """Do the job."""
    from level.check import CheckOptions, Limits, check, print_checked
    from level.private_stack import prepare_command
    from levelling.request import NEAR_DUPLICATE_DISTANCE

    prepare_command()
    told = quiet_console(options, console)
    distance = options.duplicate_distance
    asked = CheckOptions(
        file=options.file,
        text_column=options.text_column,
        fields={k: v for k, v in upload_fields(options).items() if k != "text_column"},
        limits=Limits(
            options.max_gini, options.min_flatness, options.max_duplicates, options.max_noise
        ),
        layer=options.layer,
        max_distance=NEAR_DUPLICATE_DISTANCE if distance is None else distance,
        held_out=options.no_leak,
        held_out_column=options.leak_text,
    )
    checked = check(asked, told)
    print_checked(checked, asked, told)
    if options.json:
        write_json(checked.to_json(), console)
    return checked.exit_code
