"""The exporting process: a task as JSON on standard input, the file's bytes on standard output."""

import json
import os
import sys
from pathlib import Path

from gateway.exports.failures import FAILED, describe_error
from gateway.exports.making import make_export
from gateway.exports.options import ExportOptions
from gateway.exports.source import ExportSource

_NICENESS = 10


def main() -> int:
    """Make one export and return the exit code; an error is told on standard error, as JSON."""
    os.nice(_NICENESS)
    try:
        _make(json.load(sys.stdin))
    except BrokenPipeError:
        # Nobody reads any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        json.dump(describe_error(error), sys.stderr)
        return FAILED
    return 0


def _make(task: dict[str, object]) -> None:
    scratch = Path(str(task["scratch"]))
    source = ExportSource.from_task(task["source"], scratch)  # type: ignore[arg-type]
    options = ExportOptions.from_dict(task["options"])  # type: ignore[arg-type]
    for piece in make_export(source, options, scratch):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
