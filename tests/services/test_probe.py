"""The health check of containers, as the process that a container runs."""

import asyncio
import socket
import sys
import threading

import pytest

from level_rpc.errors import FailedPrecondition
from level_rpc.server import ServiceHost
from terrain_svc.servicer import SERVICE, TerrainServicer


async def probe(*arguments):
    """Return the exit code and standard error of the command."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "level_rpc.probe", *arguments), stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    return process.returncode, errors.decode()


@pytest.fixture
async def host():
    host = ServiceHost(SERVICE, "127.0.0.1:0")
    await host.start()
    yield host
    await host.stop(grace_seconds=0)


async def test_a_service_that_serves_gives_0(host):
    await host.load(TerrainServicer)
    assert await probe(host.address, SERVICE.name) == (0, "")
    assert await probe(host.address) == (0, "")


async def test_a_service_on_a_unix_socket_is_reached(tmp_path):
    host = ServiceHost(SERVICE, f"unix:{tmp_path / 's'}")
    await host.start()
    await host.load(TerrainServicer)
    assert await probe(host.address, SERVICE.name) == (0, "")
    await host.stop(grace_seconds=0)


async def test_a_service_still_loading_gives_1(host):
    loaded = threading.Event()
    loading = asyncio.create_task(host.load(loaded.wait))
    exit_code, errors = await probe(host.address, SERVICE.name)
    loaded.set()
    await asyncio.gather(loading, return_exceptions=True)
    assert exit_code == 1
    assert "load" in errors


async def test_a_service_that_could_not_load_gives_1_and_the_reason(host):
    def refuse():
        raise FailedPrecondition("fetch the weights first")

    await host.load(refuse)
    exit_code, errors = await probe(host.address, SERVICE.name)
    assert exit_code == 1
    assert "fetch the weights first" in errors


async def test_another_service_behind_the_address_gives_1(host):
    await host.load(TerrainServicer)
    exit_code, _ = await probe(host.address, "levelapi.embedder.v1.EmbedderService")
    assert exit_code == 1


async def test_nobody_behind_the_address_gives_1_in_time():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        exit_code, errors = await probe(address, SERVICE.name, "--seconds", "0.5")
    assert exit_code == 1
    assert address in errors
