"""Run the gateway: `python -m gateway [--host HOST] [--port PORT] [--fd FD]`."""

import argparse
import socket
from contextlib import suppress

import uvicorn

from gateway.app import create_app
from gateway.body_limit import MAX_HEADER_BYTES, MAX_TARGET_BYTES
from gateway.settings import GatewaySettings
from level_rpc.address import is_loopback
from level_rpc.logs import configure_logging

GRACE_SECONDS = 5
_PORT = 8000


def main() -> None:
    """Read the settings and serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m gateway", description="Level's REST gateway.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=_PORT)
    parser.add_argument("--fd", type=int, help="an inherited socket that listens already")
    arguments = parser.parse_args()
    settings = GatewaySettings()
    if not (settings.allow_remote or is_loopback(arguments.host)):
        parser.error(
            f"{arguments.host} can be reached from other machines, and nothing here asks who calls."
            " Set LEVEL_ALLOW_REMOTE=1 when something in front guards it."
        )
    configure_logging("gateway", settings.log_level)
    server = uvicorn.Server(_config(settings, arguments.host, arguments.port))
    # Opened by its number the socket knows that it is TCP, and asyncio answers without delay.
    inherited = None if arguments.fd is None else [socket.socket(fileno=arguments.fd)]
    with suppress(KeyboardInterrupt):
        server.run(inherited)
    if not server.started:
        raise SystemExit(1)


def _config(settings: GatewaySettings, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(settings),
        host=host,
        port=port,
        http="h11",
        h11_max_incomplete_event_size=MAX_TARGET_BYTES + MAX_HEADER_BYTES,
        timeout_graceful_shutdown=GRACE_SECONDS,
        log_config=None,
        access_log=False,
        server_header=False,
        # Who calls is taken from a proxy's header only where a proxy is said to be.
        proxy_headers=settings.allow_remote,
    )


if __name__ == "__main__":
    main()
