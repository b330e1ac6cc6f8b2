"""The local stack: four services, the worker and the gateway, as child processes."""

import fcntl
import json
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from level.errors import CommandFailed
from level.processes import Child, Supervisor

SERVICES = ("embedder", "cluster", "analyzer", "terrain")
LOCK_SECONDS = 15.0
START_SECONDS = 60.0
# A module that only the extra of that name brings.
_EXTRAS = {
    "embedder": "onnxruntime",
    "cluster": "sklearn",
    "analyzer": "google.genai",
    "gateway": "fastapi",
}


class LocalStack:
    """Everything that Level needs on one machine; a context manager.

    Parameters
    ----------
    data_dir : Path
        The store's folder; made when missing. Only one stack uses it at a time.
    host, port
        Where the gateway listens; without a port, on a unix socket that only this user can open.
    environment : dict of str to str
        Further settings for all processes.
    on_death : callable
        Called with a `Child` that died and is about to be started again.

    Raises
    ------
    CommandFailed
        On entering: an extra is missing, the folder or the port is in use, or the gateway does not
        start.
    """

    def __init__(
        self,
        data_dir: Path,
        host: str = "127.0.0.1",
        port: int | None = None,
        environment: dict[str, str] | None = None,
        on_death: Callable[[Child], None] = lambda _: None,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self._host = host
        self._port = port
        self._environment = environment or {}
        self._on_death = on_death
        self._supervisor: Supervisor | None = None
        self._listener: socket.socket | None = None

    def __enter__(self) -> Self:
        _check_extras()
        _make_private(self.data_dir)
        self._lock = _lock(self.data_dir)
        self.socket_dir = self._make_socket_dir()
        try:
            if self._port is not None:
                _check_port(self._host, self._port)
            self._supervisor = Supervisor(self._children(), self._on_death)
            self._supervisor.start()
            self._wait_for_gateway()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._supervisor:
            self._supervisor.stop()
        if self._listener:
            self._listener.close()
        shutil.rmtree(self.socket_dir, ignore_errors=True)
        (self.data_dir / "stack.json").unlink(missing_ok=True)
        os.close(self._lock)

    @property
    def url(self) -> str:
        """The gateway's address."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}" if self._port is not None else "http://localhost"

    @property
    def log_dir(self) -> Path:
        """Where each process writes its log."""
        return self.data_dir / "logs"

    @property
    def addresses(self) -> dict[str, str]:
        """Where each service listens, by its name."""
        return {name: f"unix:{self.socket_dir / name}.sock" for name in SERVICES}

    def client(self, **options: Any) -> httpx.Client:
        """Return an HTTP client for the gateway."""
        transport = None
        if self._port is None:
            transport = httpx.HTTPTransport(uds=str(self.socket_dir / "gateway.sock"))
        return httpx.Client(base_url=self.url, transport=transport, trust_env=False, **options)

    def health(self) -> dict[str, Any]:
        """Return what the gateway says of itself and of each part."""
        with self.client(timeout=10.0) as client:
            answer: dict[str, Any] = client.get("/health").json()
            return answer

    def _make_socket_dir(self) -> Path:
        """Return a short, private folder; a unix socket's path has room for 100 characters."""
        record = self.data_dir / "stack.json"
        if record.exists():  # a stack that was killed leaves its folder behind
            left = Path(json.loads(record.read_text())["socket_dir"])
            if left.name.startswith("level-"):
                shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix="level-"))
        record.write_text(json.dumps({"pid": os.getpid(), "socket_dir": str(folder)}))
        return folder

    def _children(self) -> list[Child]:
        self.log_dir.mkdir(exist_ok=True)
        for log in self.log_dir.glob("*.log"):
            log.unlink()
        environment = {**self._environment, "LEVEL_DATA_DIR": str(self.data_dir)}
        for name, address in self.addresses.items():
            environment[f"LEVEL_{name.upper()}_ADDRESS"] = address
            environment[f"LEVEL_{name.upper()}_BIND"] = address
        modules = {f"{name}_svc": name for name in SERVICES} | {"gateway.worker": "worker"}
        children = [
            Child(name, module, self.log_dir / f"{name}.log", (), environment, (self._lock,))
            for module, name in modules.items()
        ]
        return [*children, self._gateway(environment)]

    def _gateway(self, environment: dict[str, str]) -> Child:
        inherited = [self._lock]
        if self._port is not None:
            listen = ["--host", self._host, "--port", str(self._port)]
        else:
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._listener.bind(str(self.socket_dir / "gateway.sock"))
            self._listener.listen()
            inherited.append(self._listener.fileno())
            listen = ["--fd", str(self._listener.fileno())]
        log = self.log_dir / "gateway.log"
        return Child("gateway", "gateway", log, listen, environment, inherited)

    def _wait_for_gateway(self) -> None:
        assert self._supervisor
        gateway = self._supervisor.children[-1]
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                self.health()
                return
            except (httpx.HTTPError, ValueError):
                if gateway.deaths >= 3:
                    break
                time.sleep(0.1)
        message = f"The gateway did not start. The end of {gateway.log}:\n{gateway.last_lines()}"
        raise CommandFailed(message)


def _check_extras() -> None:
    missing = [extra for extra, module in _EXTRAS.items() if not _installed(module)]
    if missing:
        extras = ",".join(missing)
        raise CommandFailed(
            f"This needs parts of Level that are not installed: {extras}."
            f" In Level's own folder: {sys.executable} -m pip install -e '.[{extras}]'"
        )


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        message = f"The data folder {folder} cannot be made: {error.strerror}. Choose another."
        raise CommandFailed(message) from error


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = time.monotonic() + 3.0  # a stack that is just stopping may still hold it
    while True:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    message = (
                        f"{host}:{port} cannot be used ({error.strerror})."
                        " Choose another port with --port."
                    )
                    raise CommandFailed(message) from error
        time.sleep(0.2)


def _lock(data_dir: Path) -> int:
    """Return an open lock; children inherit it, so it holds until the last of them is gone."""
    descriptor = os.open(data_dir / "stack.lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                os.close(descriptor)
                message = f"Another Level uses {data_dir}. Stop it, or choose another --data-dir."
                raise CommandFailed(message) from error
        time.sleep(0.2)
