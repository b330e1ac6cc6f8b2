"""Ask a service whether it serves: ``python -m level_rpc.probe ADDRESS [SERVICE]``.

For health checks of containers: exit code 0 it serves, 1 it does not, and why on standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from level_rpc.channel import check_health, open_channel
from level_rpc.health import HealthReport


async def probe(address: str, service_name: str, seconds: float) -> HealthReport:
    """Return whether the service at ``address`` serves, and if not, why.

    Parameters
    ----------
    address
        ``host:port`` or ``unix:/path``.
    service_name
        Full name, as ``levelapi.embedder.v1.EmbedderService``; ``""`` asks for the whole server.
    seconds
        How long to wait for the answer.
    """
    async with open_channel(address) as channel:
        return await check_health(channel, service_name, seconds=seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m level_rpc.probe", description=__doc__)
    parser.add_argument("address", help="host:port or unix:/path")
    parser.add_argument("service", nargs="?", default="", help="full name (default: any)")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long to wait")
    options = parser.parse_args(arguments)
    report = asyncio.run(probe(options.address, options.service, options.seconds))
    if not report.serving:
        sys.stderr.write(f"{options.address}: {report.reason}\n")
    return 0 if report.serving else 1


if __name__ == "__main__":
    sys.exit(main())
