"""`level replay`: the file that a recipe tells of, again."""

import argparse
from pathlib import Path

from rich.console import Console

from level.commands import Subparsers
from level.commands.options import add_json, quiet_console, write_json

_DESCRIPTION = (
    "Do again what RECIPE tells of, with the same input, and compare the bytes of what comes of it."
)
_EPILOG = "exit code 0 the same bytes, 1 failed with a reason, 2 wrong usage, 3 other bytes"


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Add the verb to the command line."""
    parser = commands.add_parser(
        "replay",
        help="make the file of a recipe again, byte for byte",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.set_defaults(do=run)
    add = parser.add_argument
    add("recipe", type=Path, metavar="RECIPE", help="a recipe as `level balance` writes it")
    add(
        "--input",
        type=Path,
        metavar="FILE",
        help="the file that it was made from (default: the one of its name, beside the recipe)",
    )
    add(
        "-o",
        "--out",
        type=Path,
        metavar="OUT",
        help="the file to write (default: RECIPE's name, here; never over another file)",
    )
    add_json(parser)


def run(options: argparse.Namespace, console: Console) -> int:
    """Do the job."""
    from level.replay import replay

    told = quiet_console(options, console)
    replayed = replay(options.recipe, options.input, options.out, told)
    if options.json:
        write_json(replayed.to_json(), console)
    return replayed.exit_code
