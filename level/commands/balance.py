"""`level balance`: a levelled file from a file."""

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console

from level.commands import Subparsers
from level.commands.levelling import add_levelling_options, level_request
from level.commands.options import (
    add_clustering_options,
    add_json,
    add_naming_options,
    add_text_column,
    quiet_console,
    upload_fields,
    write_json,
)
from level.errors import WrongUsage

_EPILOG = """examples:
  level balance messages.csv --target-flatness 0.8 -o level.parquet
  level balance messages.csv --budget 50000 -o subset.csv             the best subset of that size
  level balance messages.csv --target-flatness 0.8 --budget 50000 --max-repeat 4 -o level.jsonl
  level balance messages.csv --uniform --noise drop --dry-run         only say what it comes to

The output has the columns of FILE and row_id, the number of the row in FILE, from 0; copies; and
sample_weight, mean 1 over the rows of FILE that are kept. Its recipe lies beside it: `level replay`
makes the same file of it.

exit code 0 done, 1 failed with a reason, 2 wrong usage, 3 not all that --strict asks for can be had
"""


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Add the verb to the command line."""
    parser = commands.add_parser(
        "balance",
        help="level a file: write the rows to train on",
        description="Read FILE, find its clusters, level them, and write the levelled dataset.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(do=run)
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="a CSV or TSV file with a header")
    add_text_column(parser)
    _add_output(parser)
    add_levelling_options(parser)
    add("--seed", type=int, help="seed of every random choice (default: 0)")
    add_clustering_options(parser)
    add_naming_options(parser)


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    add = group.add_argument
    add(
        "-o",
        "--out",
        type=Path,
        metavar="OUT",
        help="the file to write, of the type that its name ends in: .csv, .parquet, .jsonl, .xlsx,"
        " or .zip for a folder with files for each cluster",
    )
    add(
        "--columns",
        choices=("plain", "all"),
        default="plain",
        help="all: also the cluster, its name, near-duplicates, positions (default: %(default)s)",
    )
    add("--embedding", action="store_true", help="add each row's vector (parquet, jsonl, zip)")
    add("--excel", action="store_true", help="csv: no cell is a formula for a spreadsheet")
    add(
        "--once",
        action="store_true",
        help="a row that is repeated stands there once, with the number in copies",
    )
    add("--dry-run", action="store_true", help="say what it comes to, and write nothing")
    add("--strict", action="store_true", help="write nothing when a target cannot be met")
    add_json(group)


def run(options: argparse.Namespace, console: Console) -> int:
    """Do the job."""
    from level.balance import BalanceOptions, balance

    if options.out is None and not options.dry_run:
        raise WrongUsage("Say where to write with -o OUT, or ask for --dry-run.")
    if options.excel and options.out is not None and options.out.suffix.lower() != ".csv":
        raise WrongUsage("--excel is for .csv alone; a workbook, .xlsx, needs no such care.")
    told = quiet_console(options, console)
    balanced = balance(
        BalanceOptions(
            file=options.file,
            out=None if options.dry_run else options.out,
            request=level_request(options),
            fields=upload_fields(options),
            export=_export_options(options),
            reference=options.reference,
            is_strict=options.strict,
        ),
        told,
    )
    if options.json:
        write_json(balanced.to_json(), console)
    return balanced.exit_code


def _export_options(options: argparse.Namespace) -> dict[str, Any]:
    asked = {
        "columns": options.columns if options.columns != "plain" else None,
        "embedding": "true" if options.embedding else None,
        "profile": "excel" if options.excel else None,
        "repeat": "false" if options.once else None,
        "layer": options.layer if options.columns == "all" else None,
    }
    return {name: value for name, value in asked.items() if value is not None}
