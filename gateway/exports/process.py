"""Exports that take much computing, made by a process of their own at lower priority."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

from gateway.exports.failures import FAILED, MESSAGE, described_error
from gateway.exports.options import ExportOptions
from gateway.exports.source import ExportSource
from level_rpc.errors import Internal, LevelError

_PIECE_BYTES = 1 << 18
# One export takes one processor, whatever its libraries would take.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}


async def stream_from_process(
    source: ExportSource, options: ExportOptions, scratch: Path
) -> AsyncIterator[bytes]:
    """Yield the bytes of an export; closing the iterator kills the process.

    Raises
    ------
    LevelError
        As `make_export` raises it.
    Internal
        When the process died.
    """
    task = {
        "source": await asyncio.to_thread(source.to_task, scratch),
        "options": asdict(options),
        "scratch": str(scratch),
    }
    process = await _start()
    assert process.stdin and process.stdout and process.stderr
    try:
        process.stdin.write(json.dumps(task).encode())
        process.stdin.close()
        while piece := await process.stdout.read(_PIECE_BYTES):
            yield piece
        told = await process.stderr.read()
        if await process.wait() != 0:
            raise _error(told, process.returncode)
    finally:
        # Nothing is waited for here: who closes the iterator may be cancelled already.
        if process.returncode is None:
            process.kill()


def _error(told: bytes, exit_code: int | None) -> LevelError:
    return described_error(json.loads(told)) if exit_code == FAILED else Internal(MESSAGE)


async def _start() -> Process:
    # A session of its own: Ctrl-C reaches the caller alone, which then kills its child.
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.exports",
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env={**os.environ, **_ENVIRONMENT},
        start_new_session=True,
    )
