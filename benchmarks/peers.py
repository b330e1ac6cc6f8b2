"""Other projects to measure beside Level: in an environment of their own, in a process kept warm.

Their needs do not go together with Level's, so nothing of them is ever installed beside it.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import REPOSITORY

REQUIREMENTS = Path(__file__).with_name("peers.txt")
DEFAULT_FOLDER = (
    Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "level" / "peers"
)

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class PeerResult:
    """What a task gave and took.

    Parameters
    ----------
    seconds : float
        Wall time of the task, the reading of its arrays not counted.
    cpu_seconds : float
        Processor time of its process meanwhile, all threads.
    arrays : dict of arrays
        See `benchmarks.peer_tasks`.
    """

    seconds: float
    cpu_seconds: float
    arrays: dict[str, NDArray[Any]] = field(repr=False)


class PeerFailed(Exception):
    """A peer raised an error, or its process ended; the message ends with its traceback."""


def add_peers_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that says where the peers are."""
    parser.add_argument(
        "--peers",
        type=Path,
        default=DEFAULT_FOLDER,
        metavar="FOLDER",
        help="the virtual environment of the other projects, made if it is not there; `none` leaves"
        " them out (default: %(default)s)",
    )


def peer_python(folder: Path) -> Path | None:
    """Return the interpreter of the peers' environment, made first if need be; None for ``none``.

    Raises
    ------
    subprocess.CalledProcessError
        The peers cannot be installed.
    """
    if str(folder) == "none":
        return None
    python = folder.expanduser().absolute() / "bin" / "python"
    if not python.exists():
        _install(python)
    return python


class PeerProcess:
    """A process of the peers' environment that does one task after the other.

    Its standard input takes a line of JSON for each task, its standard output gives one back.

    Parameters
    ----------
    python
        From `peer_python`.
    """

    def __init__(self, python: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="level-peers-"))
        self._process = subprocess.Popen(
            [str(python), "-m", "benchmarks.peer_tasks"],
            cwd=REPOSITORY,
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def share(self, name: str, array: NDArray[Any]) -> str:
        """Return the path of a file with the array, for the ``arrays`` of `run`."""
        path = self._folder / f"{name}.npy"
        np.save(path, array)
        return str(path)

    def run(self, task: str, arrays: Mapping[str, str], **options: object) -> PeerResult:
        """Return the result of a task of `benchmarks.peer_tasks`.

        Parameters
        ----------
        task : str
            Its name.
        arrays
            Paths of .npy files, by the name of the task's parameter.
        options
            The task's other parameters.

        Raises
        ------
        PeerFailed
        """
        self._count += 1
        out = self._folder / f"result-{self._count}.npz"
        request = {"task": task, "arrays": dict(arrays), "options": options, "out": str(out)}
        answer = self._ask(request)
        if "error" in answer:
            raise PeerFailed(f"{task}: {answer['error']}")
        with np.load(out) as stored:
            result = {name: stored[name] for name in stored.files}
        out.unlink()
        return PeerResult(answer["seconds"], answer["cpu_seconds"], result)

    def versions(self) -> dict[str, str]:
        """Return the version of each peer that is installed."""
        answer = self._ask({"task": "versions", "packages": pinned_packages()})
        return dict(answer["versions"])

    def _ask(self, request: Mapping[str, object]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer below is then empty
        answer = self._process.stdout.readline()
        if not answer:
            raise PeerFailed(f"its process ended with {self._process.wait()}")
        return dict(json.loads(answer))


def run_cold(python: Path, task: str, vectors: Path, **options: object) -> float:
    """Return the wall seconds of a new process that does one task, its start and imports included.

    Raises
    ------
    PeerFailed
    """
    with tempfile.TemporaryDirectory(prefix="level-peers-") as folder:
        out = str(Path(folder) / "result.npz")
        arrays = {"vectors": str(vectors)}
        request = {"task": task, "arrays": arrays, "options": options, "out": out}
        start = time.perf_counter()
        answer = subprocess.run(
            [str(python), "-m", "benchmarks.peer_tasks"],
            cwd=REPOSITORY,
            env=_environment(),
            input=json.dumps(request) + "\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
        ).stdout
        seconds = time.perf_counter() - start
    if not answer or "error" in json.loads(answer):
        raise PeerFailed(f"{task}: {answer}")
    return seconds


def pinned_packages() -> list[str]:
    """Return the names of the peers' packages."""
    return [line.partition("==")[0] for line in REQUIREMENTS.read_text().split()]


def _environment() -> dict[str, str]:
    """Return the environment without what would lead a peer to Level's own packages."""
    dropped = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "NUMBA_CACHE_DIR")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}


def _install(python: Path) -> None:
    print(f"Installing the peers into {python.parents[1]} (once; some minutes) …", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(python.parents[1])], check=True)
    # What the tests use too, and for the same reason: the registry's torch would bring CUDA.
    script = 'source scripts/heavy.sh && install_torch "$1"'
    subprocess.run(["bash", "-euc", script, "bash", str(python)], cwd=REPOSITORY, check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--requirement", str(REQUIREMENTS)], check=True)
