"""Listening addresses: ``host:port`` or ``unix:/path``."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
from contextlib import suppress

import grpc

from level_rpc.errors import FailedPrecondition

_UNIX = "unix:"
# sockaddr_un holds 108 bytes on Linux and 104 elsewhere, the closing NUL among them.
_MAX_UNIX_PATH_BYTES = 103


class AddressUnusable(FailedPrecondition):
    """A service cannot listen on the address it was given."""


def bind(server: grpc.aio.Server, address: str) -> str:
    """Return the address that ``server`` is now bound to, with the port the system chose for 0.

    Raises
    ------
    AddressUnusable
        Malformed, taken by another process, or not of this machine.
    """
    path = _socket_path(address)
    if path is not None:
        _check_socket(path)
    elif not address.rpartition(":")[2].isdecimal():
        raise AddressUnusable(f"{address!r} is no address; write host:port or unix:/path")
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise AddressUnusable(
            f"cannot listen on {address}: it is taken by another process or not of this machine; "
            "stop that process or choose another address"
        ) from error
    return address if path is not None else f"{address.rpartition(':')[0]}:{port}"


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a server that listens on ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def release(address: str) -> None:
    """Remove the socket file of a unix address."""
    path = _socket_path(address)
    if path is not None:
        with suppress(FileNotFoundError):
            os.unlink(path)


def _socket_path(address: str) -> str | None:
    if not address.startswith(_UNIX):
        return None
    path = address.removeprefix(_UNIX)
    return path.removeprefix("//") if path.startswith("///") else path


def _check_socket(path: str) -> None:
    if len(os.fsencode(path)) > _MAX_UNIX_PATH_BYTES:
        raise AddressUnusable(
            f"the socket path {path} is longer than {_MAX_UNIX_PATH_BYTES} bytes, which the system "
            "does not allow; choose a shorter folder"
        )
    if not os.path.isdir(os.path.dirname(path) or "."):
        raise AddressUnusable(f"the folder of the socket {path} does not exist; make it first")
    if os.path.lexists(path) and not _is_stale_socket(path):
        raise AddressUnusable(
            f"{path} is in use by another process or is no socket; stop that process or choose "
            "another path"
        )


def _is_stale_socket(path: str) -> bool:
    """Return whether nobody listens: gRPC replaces a socket file even under a living server."""
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False
