"""What a benchmark measured, with the machine and versions it was measured on."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
PACKAGES = (
    "level",
    "numpy",
    "scipy",
    "clarabel",
    "onnxruntime",
    "grpcio",
    "protobuf",
    "scikit-learn",
    "numba",
    "pyarrow",
    "fastapi",
    "uvicorn",
    "sqlalchemy",
    "dbos",
    "torch",
    "transformers",
    "sentence-transformers",
)


@dataclass(frozen=True)
class Figure:
    """One measured value.

    Parameters
    ----------
    name : str
    value : float
        The median where there are samples.
    unit : str
    goal : float, optional
        What it should be: at most that, or at least that when `more_is_better`.
    more_is_better : bool
    samples : tuple of float
        The single measurements behind the value.
    """

    name: str
    value: float
    unit: str
    goal: float | None = None
    more_is_better: bool = False
    samples: tuple[float, ...] = ()

    @property
    def verdict(self) -> str:
        """The goal and whether it was met, empty without a goal."""
        if self.goal is None:
            return ""
        met = self.value >= self.goal if self.more_is_better else self.value <= self.goal
        bound = "at least" if self.more_is_better else "at most"
        return f"{bound} {self.goal:g}: {'met' if met else 'MISSED'}"

    @property
    def line(self) -> str:
        """The figure for people."""
        spread = ""
        if len(self.samples) > 1:
            low, high = min(self.samples), max(self.samples)
            spread = f"({len(self.samples)} of {low:,.4g} to {high:,.4g})"
        value = f"{self.value:,.4g}" if abs(self.value) < 10_000 else f"{self.value:,.0f}"
        line = f"  {self.name:<46} {value:>10} {self.unit:<11} {spread:<26} {self.verdict}"
        return line.rstrip()


def median_figure(
    name: str,
    samples: Sequence[float],
    unit: str,
    goal: float | None = None,
    *,
    more_is_better: bool = False,
) -> Figure:
    """Return the figure that is the median of samples."""
    value = statistics.median(samples)
    return Figure(name, value, unit, goal, more_is_better, tuple(samples))


@dataclass
class Report:
    """The figures of one run of a benchmark; prints each as it comes.

    Parameters
    ----------
    benchmark : str
        Its name.
    options : dict
        What it was asked.
    """

    benchmark: str
    options: dict[str, Any]
    figures: list[Figure] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=lambda: describe_machine())

    def __post_init__(self) -> None:
        """Print what the figures will depend on."""
        self._began = (time.perf_counter(), _other_work())
        machine = self.machine
        print(f"benchmarks.{self.benchmark}, {machine['time']}, commit {machine['commit']}")
        print(f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB of memory")
        print(f"{machine['system']}, Python {machine['python']}")
        print(", ".join(f"{name} {number}" for name, number in machine["versions"].items()))
        print(f"load average at the start {_written_load(machine['load_at_start'])}\n")

    def add(self, *figures: Figure) -> None:
        """Print and keep figures."""
        for figure in figures:
            self.figures.append(figure)
            print(figure.line, flush=True)

    def finish(self, path: Path | None) -> None:
        """Print what else the machine did, and write everything as JSON when a path is given."""
        began, other_work = self._began
        other_cores = (_other_work() - other_work) / (time.perf_counter() - began)
        self.machine |= {"load_at_end": os.getloadavg(), "other_cores": other_cores}
        print(f"\nload average at the end {_written_load(self.machine['load_at_end'])}")
        print(f"meanwhile other work kept {other_cores:.2f} cores busy on average")
        if path:
            path.write_text(json.dumps(asdict(self), indent=1, default=str) + "\n")


def make_parser(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser with the option that every benchmark has; `doc` is the module's docstring."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON too")
    return parser


def describe_machine() -> dict[str, Any]:
    """Return what figures depend on beside the code: hardware, system, versions, load."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_gb": round(memory / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: number for name in PACKAGES if (number := _version(name))},
        "load_at_start": os.getloadavg(),
    }


def _cpu_model() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    facts = {name.strip(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    if "model name" not in facts:
        return platform.processor() or platform.machine()
    return f"{facts['model name']} (family {facts['cpu family']}, model {facts['model']})"


def _commit() -> str:
    command = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    return found.stdout.strip() or "unknown"


def _other_work() -> float:
    """Return the processor time that this machine gave to others than this benchmark, in seconds.

    Right once the processes that the benchmark started have ended; 0 where there is no /proc.
    """
    counters = Path("/proc/stat")
    if not counters.exists():
        return 0.0
    ticks = [int(word) for word in counters.read_text().split("\n", 1)[0].split()[1:8]]
    idle = ticks[3] + ticks[4]
    mine = os.times()
    used = mine.user + mine.system + mine.children_user + mine.children_system
    return (sum(ticks) - idle) / os.sysconf("SC_CLK_TCK") - used


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _written_load(load: Sequence[float]) -> str:
    return " ".join(f"{value:.2f}" for value in load)
