"""A whole running Level: four services, worker and gateway as processes."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from level.sample import write_sample
from level.stack import LocalStack

PATIENCE_SECONDS = 120


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """One stack for all tests that leave it as they found it."""
    folder = tmp_path_factory.mktemp("store")
    environment = {"LEVEL_UPLOAD_RATE": "0"}
    with LocalStack(folder, port=free_port(), environment=environment) as running:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while running.health()["status"] != "healthy":
            assert time.monotonic() < deadline, running.health()
            time.sleep(0.2)
        yield running


@pytest.fixture
def http(stack: LocalStack) -> Iterator[httpx.Client]:
    """An HTTP client of the stack's gateway."""
    with stack.client(timeout=60.0) as client:
        yield client


@pytest.fixture(scope="session")
def sample_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample dataset as a file."""
    return write_sample(tmp_path_factory.mktemp("sample") / "sample.csv")


@pytest.fixture(scope="session")
def finish() -> Callable[[httpx.Client, str], dict]:
    """Wait until a dataset is completed or failed, and return its status."""

    def wait(client: httpx.Client, dataset_id: str) -> dict:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            status = client.get(f"/api/status/{dataset_id}").raise_for_status().json()
            if status["status"] != "processing":
                return status
            time.sleep(0.1)
        raise AssertionError(f"still processing after {PATIENCE_SECONDS} s: {status}")

    return wait


@pytest.fixture(scope="session")
def sample_id(stack: LocalStack, sample_file: Path, finish) -> str:
    """The id of the sample dataset, completed."""
    with stack.client(timeout=60.0) as client, sample_file.open("rb") as file:
        answer = client.post("/api/upload", files={"file": ("sample.csv", file)})
        assert answer.status_code == 202, answer.text
        dataset_id = answer.json()["dataset_id"]
        assert finish(client, dataset_id)["status"] == "completed"
    return dataset_id
