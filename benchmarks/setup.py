"""From a fresh clone to a ready server: the first start with all set-up, and the second.

Clones the repository (what is committed, no more) into a temporary folder and runs its scripts/run
there, with a store and caches of its own, until /health says healthy; stops it as Ctrl-C does; runs
it again; measures what was installed. Everything is removed at the end.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.report import REPOSITORY, Figure, Report, make_parser, median_figure
from benchmarks.running import ENVIRONMENT, free_port, temporary_folder

GOAL_FIRST_SECONDS = 240.0
GOAL_SECOND_SECONDS = 10.0
GOAL_GB = 1.2
PATIENCE_SECONDS = 1_200.0
_POLL_SECONDS = 0.1


def main() -> None:
    """Run the benchmark."""
    parser = make_parser(__doc__)
    parser.add_argument("--cold", action="store_true", help="let pip use nothing of its cache")
    parser.add_argument("--repository", default=str(REPOSITORY), help="what to clone")
    parser.add_argument(
        "--repeat", type=int, default=3, metavar="N", help="second starts (default: %(default)s)"
    )
    options = parser.parse_args()
    report = Report("setup", vars(options))
    with temporary_folder() as folder:
        clone = folder / "level"
        start = time.perf_counter()
        command = ["git", "clone", "--quiet", "--no-hardlinks", options.repository, str(clone)]
        subprocess.run(command, check=True)
        report.add(Figure("clone", time.perf_counter() - start, "s"))
        _measure(report, clone, _environment(folder, options.cold), options.repeat)
    report.finish(options.json)


def _measure(report: Report, clone: Path, environment: dict[str, str], repeats: int) -> None:
    with _started(clone, environment) as first:
        report.add(Figure("first start, to healthy", first.seconds, "s", GOAL_FIRST_SECONDS))
        report.add(Figure("first start, to the sample's terrain", first.until_terrain(), "s"))
    _report_sizes(report, clone)
    seconds = []
    for _ in range(repeats):
        with _started(clone, environment) as later:
            seconds.append(later.seconds)
    report.add(median_figure("second start, to healthy", seconds, "s", GOAL_SECOND_SECONDS))


class _Started:
    """A server that runs, and when it was asked for."""

    def __init__(self, url: str, asked_at: float) -> None:
        self._client = httpx.Client(base_url=url, timeout=10.0, trust_env=False)
        self._asked_at = asked_at
        self.seconds = time.perf_counter() - asked_at

    def until_terrain(self) -> float:
        """Return seconds from asking for the server until its sample dataset is completed."""
        while time.perf_counter() < self._asked_at + PATIENCE_SECONDS:
            datasets: list[dict[str, Any]] = self._client.get("/api/datasets").json()["datasets"]
            if datasets and datasets[0]["status"] == "completed":
                return time.perf_counter() - self._asked_at
            time.sleep(_POLL_SECONDS)
        raise SystemExit("The sample dataset was not completed.")


@contextmanager
def _started(clone: Path, environment: dict[str, str]) -> Iterator[_Started]:
    """Give a server once it is healthy; stop it as Ctrl-C does."""
    port = free_port()
    command = [str(clone / "scripts" / "run"), "--no-open", "--port", str(port)]
    log_path = clone.parent / "run.log"
    asked_at = time.perf_counter()
    with log_path.open("w") as log:
        process = subprocess.Popen(
            command, cwd=clone, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_healthy(url, process, log_path)
        yield _Started(url, asked_at)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.wait()


def _wait_until_healthy(url: str, process: "subprocess.Popen[bytes]", log_path: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/health", timeout=10.0, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(_POLL_SECONDS)
    raise SystemExit(f"scripts/run did not become healthy:\n{log_path.read_text()[-3_000:]}")


def _environment(folder: Path, cold: bool) -> dict[str, str]:
    """Return an environment in which nothing is set up yet, but what pip has downloaded before."""
    environment = {**os.environ, **ENVIRONMENT, "LEVEL_DATA_DIR": str(folder / "store")}
    for name in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"):
        environment.pop(name, None)
    # Graphs made from weights, and whatever else is made once, is made again.
    environment["XDG_CACHE_HOME"] = str(folder / "cache")
    if cold:
        environment["PIP_NO_CACHE_DIR"] = "1"
    else:
        default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pip"
        environment.setdefault("PIP_CACHE_DIR", str(default))
    return environment


def _report_sizes(report: Report, clone: Path) -> None:
    sizes: dict[str, int] = {}
    for packages in clone.glob(".venv/lib/python*/site-packages"):
        for entry in packages.iterdir():
            sizes[entry.name] = _disk_bytes(entry)
    report.add(
        Figure("installed, .venv on disk", _disk_bytes(clone / ".venv") / 1e9, "GB", GOAL_GB)
    )
    for name in sorted(sizes, key=lambda name: -sizes[name])[:8]:
        report.add(Figure(f"of it, {name}", sizes[name] / 1e9, "GB"))


def _disk_bytes(path: Path) -> int:
    entries = [path, *(path.rglob("*") if path.is_dir() else ())]
    return sum(entry.lstat().st_blocks * 512 for entry in entries)


if __name__ == "__main__":
    main()
