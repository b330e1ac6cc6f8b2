"""Memory and processor time of all processes below one, from Linux's /proc."""

import os
import threading
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

_PROC = Path("/proc")
_KIB = 1024
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class ProcessSample:
    """One process at one moment.

    Parameters
    ----------
    name : str
        The module that it runs.
    pss_bytes : int
        Its memory, a page that n processes share counted as one n-th.
    peak_rss_bytes : int
        The most that was ever resident of it, shared pages counted in full.
    cpu_seconds : float
        Processor time that it took since it started.
    """

    name: str
    pss_bytes: int
    peak_rss_bytes: int
    cpu_seconds: float


class ProcessSampler:
    """Samples every process below this one, in a thread, while the block runs.

    Parameters
    ----------
    interval_seconds : float
        Reading PSS walks page tables: a short interval disturbs what is measured.
    """

    def __init__(self, interval_seconds: float = 0.5) -> None:
        if not (_PROC / "self" / "smaps_rollup").exists():
            raise SystemExit("Memory is read from /proc/*/smaps_rollup, which only Linux has.")
        self._interval_seconds = interval_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._first: dict[int, ProcessSample] = sample_processes()
        self._last: dict[int, ProcessSample] = dict(self._first)
        self.at_peak: list[ProcessSample] = list(self._first.values())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()

    @property
    def peak_pss_bytes(self) -> int:
        """The most memory that all processes took together."""
        return sum(process.pss_bytes for process in self.at_peak)

    @property
    def rss_peaks_bytes(self) -> int:
        """The sum of each process's own highest RSS, whenever it was: an upper bound."""
        return sum(process.peak_rss_bytes for process in self._last.values())

    @property
    def cpu_seconds(self) -> float:
        """Processor time that all processes took so far, since the sampler was made."""
        return sum(p.cpu_seconds for p in self._last.values()) - sum(
            p.cpu_seconds for p in self._first.values()
        )

    def _run(self) -> None:
        while not self._stop.wait(self._interval_seconds):
            self._sample()

    def _sample(self) -> None:
        found = sample_processes()
        self._last |= found
        if sum(process.pss_bytes for process in found.values()) > self.peak_pss_bytes:
            self.at_peak = list(found.values())


def sample_processes() -> dict[int, ProcessSample]:
    """Return every process below this one, by its id."""
    found = {}
    for pid in _processes_below(os.getpid()):
        folder = _PROC / str(pid)
        try:
            found[pid] = ProcessSample(
                _module(folder),
                _field(folder / "smaps_rollup", "Pss:"),
                _field(folder / "status", "VmHWM:"),
                sum(int(ticks) for ticks in _stat(folder)[11:13]) / _TICKS,
            )
        except (OSError, KeyError):
            continue  # it ended meanwhile
    return found


def _processes_below(root_pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            try:
                parent = int(_stat(folder)[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(folder.name))
    below, waiting = [], [root_pid]
    while waiting:
        found = children.get(waiting.pop(), [])
        below += found
        waiting += found
    return below


def _stat(folder: Path) -> list[str]:
    """Return what follows the name, which may hold anything but ends at the last bracket."""
    return (folder / "stat").read_text().rpartition(")")[2].split()


def _module(folder: Path) -> str:
    command = (folder / "cmdline").read_text().split("\0")
    modules = [word for before, word in pairwise(command) if before == "-m"]
    if not modules:
        return Path(command[0]).name
    return command[command.index("level.child") + 1] if "level.child" in command else modules[0]


def _field(path: Path, name: str) -> int:
    for line in path.read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * _KIB
    raise KeyError(name)
