"""The `level` command.

Exit codes: 0 done, 1 failed with a reason, 2 wrong usage, 130 interrupted, and 3 done, but not so
as it was asked to be: `level check`, a limit is passed; `level balance --strict`, a target cannot
be met; `level replay`, the bytes differ.
"""

import argparse
import signal
import sys
from collections.abc import Sequence

from rich.console import Console

from level import __version__
from level.commands import balance, check, prove, replay, run, sample, serve
from level.errors import CommandFailed

INTERRUPTED = 128 + signal.SIGINT
_VERBS = (serve, run, balance, check, prove, replay, sample)
_DESCRIPTION = (
    "See the shape of a lopsided text dataset as a terrain of hills, level them, and take a"
    " balanced dataset away."
)
_EXAMPLES = """examples:
  level serve                          the page and the API on http://127.0.0.1:8000
  level run messages.csv               the whole job, results in messages-level/
  level run messages.csv --text body   the texts are in the column "body"
  level balance messages.csv --target-flatness 0.8 -o level.parquet
                                       the rows to train on, in one file
  level check messages.csv --max-gini 0.4
                                       exit code 3 when it is less even than that
  level prove messages.csv --label topic
                                       whether levelling helps a model to learn "topic"
  level replay level.recipe.json       the same file again, byte for byte
  level sample messages.csv            a small dataset to try it with
"""


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
    for verb in _VERBS:
        verb.add_parser(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = make_parser().parse_args(arguments)
    console = Console(highlight=False)
    try:
        exit_code: int | None = options.do(options, console)
    except CommandFailed as error:
        Console(stderr=True, highlight=False).print(
            f"level: {error}", style="red", markup=False, soft_wrap=True
        )
        return error.exit_code
    except KeyboardInterrupt:
        Console(stderr=True).print("Stopped.")
        return INTERRUPTED
    return exit_code or 0


if __name__ == "__main__":
    sys.exit(main())
