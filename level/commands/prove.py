"""`level prove`: whether levelling a file helps a model."""

import argparse
from pathlib import Path

from rich.console import Console

from level.commands import Subparsers
from level.commands.levelling import add_levelling_options, level_request, numbers
from level.commands.options import (
    add_clustering_options,
    add_json,
    add_text_column,
    quiet_console,
    upload_fields,
    write_json,
)

_EPILOG = """examples:
  level prove messages.csv --label topic
  level prove messages.csv --label topic --budget 3000 --models logistic_regression,neighbors
  level prove messages.csv                   without labels: coverage and novelty, as proxies

exit code 0 whatever the verdict is, 1 it could not be done, 2 wrong usage
"""


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Add the verb to the command line."""
    parser = commands.add_parser(
        "prove",
        help="measure whether levelling a file helps a model",
        description="Train the same simple model on FILE before and after levelling, at equal size,"
        " and compare both on held-out rows that share no near-duplicate with those.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(do=run)
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="a CSV or TSV file with a header")
    add_text_column(parser)
    _add_proof(parser)
    add_levelling_options(parser)
    add("--seed", type=int, help="seed of every random choice (default: 0)")
    add_clustering_options(parser)


def _add_proof(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("proof")
    add = group.add_argument
    add("--label", metavar="COLUMN", help="the column of the classes that the model is to learn")
    add(
        "--models",
        type=lambda text: text.split(","),
        metavar="A,B",
        help="logistic_regression (default), ridge, nearest_mean, neighbors; the verdict is of the"
        " first",
    )
    add("--seeds", type=int, metavar="N", help="how many times rows are split anew (default: 5)")
    add("--test-share", type=float, metavar="S", help="the part held out (default: 0.25)")
    add("--max-rows", type=int, metavar="N", help="use at most so many rows (default: 20000)")
    add(
        "--curve",
        type=numbers,
        metavar="A,B",
        help="the alphas of the curve: 0 is flat, 1 unchanged (default: 0,0.25,0.5,0.75,1)",
    )
    add_json(group)


def run(options: argparse.Namespace, console: Console) -> None:
    """Do the job."""
    from level.prove import ProveOptions, prove

    told = quiet_console(options, console)
    asked = {
        "models": options.models,
        "seeds": options.seeds,
        "seed": options.seed,
        "test_share": options.test_share,
        "max_rows": options.max_rows,
        "alphas": options.curve,
    }
    result = prove(
        ProveOptions(
            file=options.file,
            label_column=options.label,
            request=level_request(options),
            fields=upload_fields(options),
            proof={name: value for name, value in asked.items() if value is not None},
            reference=options.reference,
        ),
        told,
    )
    if options.json:
        write_json(result, console)
