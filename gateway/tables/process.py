"""Reads a table in a process of its own: a hostile file costs that process, never the caller."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gateway.tables.errors import TableReadingFailed, error_from_parts
from gateway.tables.table_info import TableInfo, TableLimits

# Threads and Arrow's own memory pool would take address space, which is limited.
_ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONIOENCODING": "utf-8",
}


async def read_in_process(
    path: Path,
    out_dir: Path,
    text_column: str | None = None,
    limits: TableLimits | None = None,
    *,
    memory_mb: int = 2_048,
    timeout_seconds: float = 120.0,
) -> TableInfo:
    """Return what `read_table` returns, read in another process at lower priority.

    Cancelling the call kills the process.

    Parameters
    ----------
    path, out_dir, text_column, limits
        As for `read_table`.
    memory_mb : int
        Address space that the process may have, in MiB.
    timeout_seconds : float
        Seconds after which it is killed; also the processor time it may use.

    Raises
    ------
    TableError
        As `read_table` raises it.
    TableReadingFailed
        The process needed more memory or time than it has, or crashed.
    """
    request = {
        "path": str(path),
        "out_dir": str(out_dir),
        "text_column": text_column,
        "limits": asdict(limits or TableLimits()),
        "memory_bytes": memory_mb << 20,
        "cpu_seconds": int(timeout_seconds) + 1,
    }
    process = await _start()
    try:
        async with asyncio.timeout(timeout_seconds):
            output, _ = await process.communicate(json.dumps(request).encode())
    except TimeoutError:
        raise _out_of_time(timeout_seconds) from None
    finally:
        await _kill(process)
    return _result(output, process.returncode, memory_mb)


async def _start() -> Process:
    # A session of its own: Ctrl-C reaches the caller alone, which then kills its child.
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.tables",
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env={**os.environ, **_ENVIRONMENT},
        start_new_session=True,
    )


async def _kill(process: Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


def _result(output: bytes, exit_code: int | None, memory_mb: int) -> TableInfo:
    if exit_code != 0:
        raise TableReadingFailed(
            f"The file could not be read within {memory_mb:,} MB of memory. Upload a smaller one,"
            " or one with shorter cells and fewer columns.",
            memory_mb=memory_mb,
        )
    answer: dict[str, Any] = json.loads(output)
    if "table" in answer:
        return TableInfo.from_dict(answer["table"])
    raise error_from_parts(answer["reason"], answer["message"], answer["metadata"])


def _out_of_time(timeout_seconds: float) -> TableReadingFailed:
    return TableReadingFailed(
        f"The file could not be read within {timeout_seconds:g} seconds. Upload a smaller one.",
        timeout_seconds=timeout_seconds,
    )
