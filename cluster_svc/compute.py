"""One compute process, seen from the service: give it a job, receive its events, end it."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path

from cluster_svc import channel
from cluster_svc.compute_options import ComputeOptions
from cluster_svc.errors import ComputeCrashed
from cluster_svc.jobs import Event, Job

_PACKAGE_ROOT = Path(__file__).parent.parent


class ComputeProcess:
    """A running compute process, warming up by itself.

    Parameters
    ----------
    options : ComputeOptions
        How it works, whatever the job.
    """

    def __init__(self, options: ComputeOptions) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            arguments = [str(theirs.fileno()), json.dumps(asdict(options))]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cluster_svc.worker", *arguments],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # Where the package is found, whatever the service was started from.
                cwd=_PACKAGE_ROOT,
            )
        self._connection = Connection(ours.detach())

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    async def submit(self, job: Job) -> None:
        """Hand over a job.

        Raises
        ------
        ComputeCrashed
            The process is gone.
        """
        try:
            await asyncio.to_thread(channel.send, self._connection, job, self.pid)
        except OSError as error:
            raise self._crashed() from error

    async def receive(self) -> Event:
        """Return its next event.

        Raises
        ------
        ComputeCrashed
            The process ended.
        """
        try:
            event: Event = await asyncio.to_thread(channel.receive, self._connection)
        except (EOFError, OSError) as error:
            raise self._crashed() from error
        return event

    def end(self) -> None:
        """Kill the process; a thread still waiting in `receive` is woken by that."""
        self._process.kill()
        self._process.wait()

    def _crashed(self) -> ComputeCrashed:
        exit_code = self._process.wait()
        return ComputeCrashed(
            f"the compute process ended unexpectedly (exit code {exit_code}); if it happens again,"
            " give the service more memory or send fewer rows",
            exit_code=exit_code,
        )
