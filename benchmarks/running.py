"""A whole Level to measure, in a store of its own that goes away afterwards."""

import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from level.client import GatewayClient
from level.sample import write_sample
from level.stack import LocalStack

READY_SECONDS = 120.0
# Nothing of what a person has set may reach what is measured, least of all their own store.
ENVIRONMENT = {
    "LEVEL_UPLOAD_RATE": "0",
    "LEVEL_DATABASE_URL": "",
    "LEVEL_EMBEDDER_CACHE_MIB": "0",
    "GEMINI_API_KEY": "",
}


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give a folder that is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="level-benchmark-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_stack(data_dir: Path) -> Iterator[LocalStack]:
    """Give a stack whose services are warm: each has done its part for one small dataset."""
    with LocalStack(data_dir, port=free_port(), environment=ENVIRONMENT) as stack:
        _wait_until_healthy(stack)
        with stack.client(timeout=600.0) as http:
            sample = write_sample(data_dir / "warm-up.csv")
            run_to_end(GatewayClient(http), sample)
        yield stack


def run_to_end(client: GatewayClient, path: Path, **fields: str) -> dict[str, Any]:
    """Upload a file, wait until it is completed, and return its last status."""
    dataset_id = client.upload(path, fields)["dataset_id"]
    return follow_to_end(client, dataset_id)


def follow_to_end(client: GatewayClient, dataset_id: str) -> dict[str, Any]:
    """Wait until a dataset is completed and return its last status; stop when it failed."""
    *_, last = client.follow(dataset_id)
    if last["status"] != "completed":
        raise SystemExit(f"The dataset {last['file_name']} failed: {last['error']}")
    return dict(last)


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_healthy(stack: LocalStack) -> None:
    deadline = time.monotonic() + READY_SECONDS
    health: dict[str, Any] = {}
    while time.monotonic() < deadline:
        try:
            health = stack.health()
        except httpx.HTTPError as error:
            health = {"status": str(error)}
        if health["status"] == "healthy":
            return
        time.sleep(0.2)
    raise SystemExit(f"Level is not ready after {READY_SECONDS:g} s: {health}")
