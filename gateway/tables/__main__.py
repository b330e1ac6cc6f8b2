"""The reading process: a request as JSON on standard input, its answer on standard output."""

import gc
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from gateway.tables.errors import TableError
from gateway.tables.reader import read_table
from gateway.tables.table_info import TableLimits

_NICENESS = 10


def main() -> None:
    """Read one table under the limits that the request sets on this process."""
    request = json.load(sys.stdin)
    _limit_this_process(request["memory_bytes"], request["cpu_seconds"])
    # Rows are lists without cycles: looking for cycles among them takes as long as reading them.
    gc.disable()
    json.dump(_answer(request), sys.stdout)


def _limit_this_process(memory_bytes: int, cpu_seconds: int) -> None:
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    limits = TableLimits(**request["limits"])
    try:
        table = read_table(
            Path(request["path"]), Path(request["out_dir"]), request["text_column"], limits
        )
    except TableError as error:
        return {"reason": error.reason, "message": error.message, "metadata": error.metadata}
    return {"table": table.to_dict()}


if __name__ == "__main__":
    main()
