"""`level sample`: a small dataset to try Level with."""

import argparse
from pathlib import Path

from rich.console import Console

from level.commands import Subparsers
from level.errors import CommandFailed


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Add the verb to the command line."""
    sample = commands.add_parser("sample", help="write the sample dataset to a file")
    sample.set_defaults(do=run)
    sample.add_argument("file", type=Path, metavar="FILE", help="a CSV file that is not there yet")


def run(options: argparse.Namespace, console: Console) -> None:
    """Write the file, never over another."""
    from level.sample import write_sample

    if options.file.exists():
        raise CommandFailed(f"{options.file} is there already; choose another name.")
    try:
        write_sample(options.file)
    except OSError as error:
        raise CommandFailed(f"{options.file} cannot be written: {error.strerror}.") from error
    console.print(f"Written to {options.file}.", markup=False)
