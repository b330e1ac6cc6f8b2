"""Child processes: started, watched, started again when they die, stopped all at once."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

WATCH_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
STEADY_SECONDS = 30.0
STOP_SECONDS = 15.0


@dataclass
class Child:
    """One process of the stack.

    Attributes
    ----------
    name : str
    module : str
        Run as `python -m module arguments`.
    log : Path
        Where its standard output and error go.
    inherited : sequence of int
        Open file descriptors that the process keeps open.
    """

    name: str
    module: str
    log: Path
    arguments: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)
    inherited: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    deaths: int = 0

    def start(self) -> None:
        """Start the process, in a session of its own so that Ctrl-C reaches the parent alone."""
        command = [sys.executable, "-m", "level.child", self.module, *self.arguments]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                start_new_session=True,
                pass_fds=self.inherited,
            )
        self.started_at = time.monotonic()

    @property
    def exit_code(self) -> int | None:
        """The exit code of the process, None while it runs."""
        return self.process.poll() if self.process else None

    def signal(self, number: int) -> None:
        """Send a signal; a process that is gone is no error."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)

    def last_lines(self, count: int = 5) -> str:
        """Return the end of the log."""
        lines = self.log.read_text("utf-8", "replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-count:])


class Supervisor:
    """Keeps children running until it is stopped.

    Parameters
    ----------
    children : sequence of Child
    on_death : callable
        Called with a child that died, before it is started again.
    """

    def __init__(self, children: Sequence[Child], on_death: Callable[[Child], None]) -> None:
        self.children = list(children)
        self._on_death = on_death
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Start every child and the watch over them."""
        for child in self.children:
            child.start()
        self._watcher.start()

    def stop(self) -> None:
        """Ask every child to end, and end those that do not."""
        self._stopping.set()
        if self._watcher.is_alive():
            self._watcher.join()
        for child in self.children:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for child in self.children:
            _wait(child, deadline)

    def _watch(self) -> None:
        due: dict[str, float] = {}
        while not self._stopping.wait(WATCH_SECONDS):
            for child in self.children:
                if child.exit_code is None:
                    continue
                if child.name not in due:
                    due[child.name] = time.monotonic() + self._note_death(child)
                elif time.monotonic() >= due[child.name]:
                    del due[child.name]
                    child.start()

    def _note_death(self, child: Child) -> float:
        """Return the pause before the child is started again, in seconds; it grows."""
        steady = time.monotonic() - child.started_at > STEADY_SECONDS
        child.deaths = 1 if steady else child.deaths + 1
        self._on_death(child)
        return min(0.2 * 2.0 ** (child.deaths - 1), LONGEST_PAUSE_SECONDS)


def _wait(child: Child, deadline: float) -> None:
    if child.process is None:
        return
    try:
        child.process.wait(max(deadline - time.monotonic(), 0.1))
    except subprocess.TimeoutExpired:
        child.process.kill()
        child.process.wait()
    if child.process.stdin:
        child.process.stdin.close()
