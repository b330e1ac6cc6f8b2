"""`level serve`: the local stack until Ctrl-C."""

import signal
import threading
import time
import webbrowser
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
from rich.console import Console

from level.client import GatewayClient
from level.errors import CommandFailed
from level.processes import Child
from level.sample import SAMPLE_NAME, write_sample
from level.stack import SERVICES, LocalStack
from level_rpc.address import is_loopback

PARTS_SECONDS = 60.0


@dataclass(frozen=True)
class ServeOptions:
    """What `level serve` was asked."""

    host: str
    port: int
    data_dir: Path
    sample: bool
    open_browser: bool


def serve(options: ServeOptions, console: Console) -> None:
    """Run the local stack until SIGINT or SIGTERM.

    Raises
    ------
    CommandFailed
        With the reason.
    """
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():  # asked twice: the person is in a hurry
            signal.signal(signal.SIGINT, signal.default_int_handler)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)

    def tell(child: Child) -> None:
        console.print(
            f"{child.name} ended with exit code {child.exit_code}; starting it again."
            f" Its log: {child.log}",
            style="yellow",
            markup=False,
        )

    console.print("Starting …")
    stack = LocalStack(options.data_dir, options.host, options.port, on_death=tell)
    with stack:
        _tell_parts(_wait_for_parts(stack, stop), console)
        address = stack.url
        if options.sample and not stop.is_set():
            address = f"{stack.url}/#{_load_sample(stack)}"
        _tell_addresses(stack, address, console)
        if options.open_browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        stop.wait()
        console.print("Stopping …")
    console.print("Stopped.")


def _wait_for_parts(stack: LocalStack, stop: threading.Event) -> dict[str, Any]:
    """Return the health once every part is ready, or has said why it will not be."""
    health: dict[str, Any] = {}
    deadline = time.monotonic() + PARTS_SECONDS
    while time.monotonic() < deadline and not stop.is_set():
        with suppress(httpx.HTTPError):  # a gateway that is just being started again
            health = stack.health()
            if not any(_may_still_come(*part) for part in health["parts"].items()):
                break
        stop.wait(0.2)
    return health


def _may_still_come(name: str, part: dict[str, Any]) -> bool:
    has_refused = name in SERVICES and not part["details"].get("loading", False)
    return not part["ready"] and not has_refused


def _tell_parts(health: dict[str, Any], console: Console) -> None:
    for name, part in health.get("parts", {}).items():
        if not part.get("ready", True):
            reason = part.get("reason") or "no answer yet"
            console.print(f"{name} is not ready: {reason}", style="yellow", markup=False)


def _tell_addresses(stack: LocalStack, address: str, console: Console) -> None:
    console.print(f"Level is at {address}", style="bold", markup=False, soft_wrap=True)
    console.print(f"API: {stack.url}/docs", markup=False, soft_wrap=True)
    console.print(f"Data: {stack.data_dir}   Logs: {stack.log_dir}", markup=False, soft_wrap=True)
    for name, socket in stack.addresses.items():
        console.print(f"{name}: {socket}", markup=False, soft_wrap=True, style="dim")
    console.print("Ctrl-C stops everything.")


def _load_sample(stack: LocalStack) -> str:
    """Return the id of the sample dataset, uploaded now unless it is there already."""
    with stack.client(timeout=60.0) as http:
        client = GatewayClient(http)
        for dataset in client.datasets():
            if dataset["file_name"] == SAMPLE_NAME and dataset["status"] != "failed":
                return str(dataset["dataset_id"])
        path = write_sample(stack.data_dir / SAMPLE_NAME)
        try:
            return str(client.upload(path, {})["dataset_id"])
        finally:
            path.unlink()


def check_bind(host: str, allow_remote: bool) -> None:
    """Raise CommandFailed unless the gateway may listen on `host`."""
    if not (allow_remote or is_loopback(host)):
        raise CommandFailed(
            f"Level has no login, so it does not listen on {host}: anyone who reaches it could read"
            " and delete every dataset. Set LEVEL_ALLOW_REMOTE=1 if something in front guards it."
        )
