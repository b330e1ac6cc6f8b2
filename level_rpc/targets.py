"""Addresses to call: of one server, or of several that calls go to in turn."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

from level_rpc.address import AddressUnusable

_UNIX, _DNS = "unix:", "dns:"
_NUMERIC = ("ipv4:", "ipv6:")
_Endpoint = tuple[str, str]


def dial_target(address: str) -> str:
    """Return what gRPC dials for an address; of a list, one target that names all.

    Host names in a list are looked up here and now. Under a name that stands for several servers,
    ``dns:///name:port``, gRPC looks again whenever one of them is gone.

    Parameters
    ----------
    address
        ``host:port``, ``dns:///name:port``, ``unix:/path``, or several of the first or the last,
        separated by commas.

    Raises
    ------
    AddressUnusable
        A list that mixes kinds of addresses, or names a host that cannot be found.
    """
    entries = _entries(address)
    if len(entries) == 1 or address.startswith(_NUMERIC):
        return ",".join(entries)
    if all(entry.startswith(_UNIX) for entry in entries):
        return _UNIX + ",".join(entry.removeprefix(_UNIX) for entry in entries)
    if any(entry.startswith((_UNIX, _DNS, *_NUMERIC)) for entry in entries):
        raise AddressUnusable(
            f"{address!r} mixes kinds of addresses; list host:port only, or unix:/path only"
        )
    return _numeric_target([_host_and_port(entry) for entry in entries])


def list_servers(address: str) -> list[str]:
    """Return the address of each server that an address stands for now; may look a name up.

    A name that cannot be found, or stands for one server, is its own address.
    """
    entries = _entries(address)
    if address.startswith(_NUMERIC):
        scheme = address[: len(_NUMERIC[0])]
        return [scheme + entry.removeprefix(scheme) for entry in entries]
    if len(entries) > 1 or address.startswith(_UNIX):
        return entries
    host, port = _host_and_port(entries[0].rpartition("/")[2])
    try:
        found = sorted(_look_up(host, port))
    except OSError:
        return entries
    # A server with an address of each family is one.
    families = [family for family, _ in found]
    largest = max(families, key=families.count)
    servers = [_written(place, port) for family, place in found if family == largest]
    return servers if len(servers) > 1 else entries


def _entries(address: str) -> list[str]:
    entries = [entry.strip() for entry in address.split(",")]
    if not all(entries):
        raise AddressUnusable(f"{address!r} has an empty entry; separate addresses by one comma")
    return entries


def _host_and_port(entry: str) -> _Endpoint:
    host, _, port = entry.rpartition(":")
    return host.strip("[]"), port


def _look_up(host: str, port: str) -> set[tuple[int, str]]:
    """Return the family and IP address of each server that a name stands for."""
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return {(int(family), str(place[0])) for family, _, _, _, place in infos}


def _numeric_target(endpoints: Sequence[_Endpoint]) -> str:
    """Return one target of a single family, which is all that gRPC takes."""
    found = [(_addresses_of(host, port), port) for host, port in endpoints]
    for version, scheme in ((4, "ipv4:"), (6, "ipv6:")):
        if all(version in addresses for addresses, _ in found):
            return scheme + ",".join(_written(one[version], port) for one, port in found)
    raise AddressUnusable("the listed hosts have no kind of IP address in common; list those")


def _addresses_of(host: str, port: str) -> dict[int, str]:
    """Return one IP address of a host for each version of the protocol that it has."""
    try:
        found = sorted(address for _, address in _look_up(host, port))
    except OSError as error:
        raise AddressUnusable(
            f"{host}:{port} cannot be looked up; list host:port that exist", host=host
        ) from error
    return {ipaddress.ip_address(one.partition("%")[0]).version: one for one in reversed(found)}


def _written(address: str, port: str) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
