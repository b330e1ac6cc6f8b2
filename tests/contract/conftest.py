"""The running services on their sockets, and a client that knows only protos/."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest

from gateway.stages import GrpcStages
from level.processes import Child, Supervisor
from level.stack import SERVICES
from tests.contract.cluster_client import ClusterClient
from tests.contract.stranger import Contract, Tensors

PROTOS = Path(__file__).resolve().parents[2] / "protos"
START_SECONDS = 120


@pytest.fixture(scope="package")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Where each service listens; processes of their own, since these tests abuse them."""
    logs = tmp_path_factory.mktemp("logs")
    # A socket's path has room for 100 characters.
    with tempfile.TemporaryDirectory(prefix="level-") as sockets:
        addresses = {name: f"unix:{sockets}/{name}.sock" for name in SERVICES}
        children = [
            Child(name, f"{name}_svc", logs / name, (), {f"LEVEL_{name.upper()}_BIND": address})
            for name, address in addresses.items()
        ]
        services = Supervisor(children, lambda child: None)
        services.start()
        try:
            asyncio.run(until_well(addresses))
            yield addresses
        finally:
            services.stop()


async def until_well(addresses: dict[str, str]) -> None:
    """Wait until every service can work."""
    async with GrpcStages(addresses) as stages:
        deadline = time.monotonic() + START_SECONDS
        while waiting := [name for name, part in (await stages.health()).items() if not part.ready]:
            assert time.monotonic() < deadline, waiting
            await asyncio.sleep(0.2)


@pytest.fixture(scope="package")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    """Messages and stubs made from protos/."""
    return Contract(PROTOS, tmp_path_factory.mktemp("protos"))


@pytest.fixture(scope="package")
def tensors(contract: Contract) -> Tensors:
    """The client's own tensor code."""
    return Tensors(contract)


@pytest.fixture
def connect(
    addresses: dict[str, str], contract: Contract
) -> Iterator[Callable[[str], SimpleNamespace]]:
    """Give a stub of a part by its name: "embedder", "cluster", "analyzer" or "terrain"."""
    channels = []

    def make(part: str) -> SimpleNamespace:
        # No more than gRPC's own defaults; messages may be sent larger than services take them.
        options = [("grpc.max_send_message_length", -1), ("grpc.enable_http_proxy", 0)]
        channels.append(grpc.insecure_channel(addresses[part], options=options))
        service = f"levelapi.{part}.v1.{part.capitalize()}Service"
        return contract.stub(service, channels[-1])

    yield make
    for channel in channels:
        channel.close()


@pytest.fixture
def clusters(connect, contract, tensors) -> ClusterClient:
    """A client of the cluster service."""
    return ClusterClient(connect("cluster"), contract.part("cluster"), tensors)
