"""Addresses of one server and of several."""

import socket

import pytest

from level_rpc import targets
from level_rpc.address import AddressUnusable
from level_rpc.targets import dial_target, list_servers

NAMES = {
    "one": [(socket.AF_INET, "10.0.0.1")],
    "two": [(socket.AF_INET, "10.0.0.1"), (socket.AF_INET, "10.0.0.2")],
    "both": [(socket.AF_INET6, "fd00::1"), (socket.AF_INET, "10.0.0.3")],
    "six": [(socket.AF_INET6, "fd00::6")],
}


@pytest.fixture(autouse=True)
def names(monkeypatch):
    def look_up(host, port, **_):
        if host in NAMES:
            return [(family, 1, 6, "", (ip, int(port))) for family, ip in NAMES[host]]
        if host[0].isalpha() and ":" not in host:
            raise socket.gaierror("no such name")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return [(family, 1, 6, "", (host, int(port)))]

    monkeypatch.setattr(targets.socket, "getaddrinfo", look_up)


@pytest.mark.parametrize(
    ("address", "target", "servers"),
    [
        ("127.0.0.1:50051", "127.0.0.1:50051", ["127.0.0.1:50051"]),
        ("one:50051", "one:50051", ["one:50051"]),
        ("dns:///two:50051", "dns:///two:50051", ["10.0.0.1:50051", "10.0.0.2:50051"]),
        ("dns:///both:50051", "dns:///both:50051", ["dns:///both:50051"]),
        ("dns:///gone:50051", "dns:///gone:50051", ["dns:///gone:50051"]),
        ("[fd00::1]:50051", "[fd00::1]:50051", ["[fd00::1]:50051"]),
        ("unix:/run/a.sock", "unix:/run/a.sock", ["unix:/run/a.sock"]),
        ("unix:/run/a,unix:/run/b", "unix:/run/a,/run/b", ["unix:/run/a", "unix:/run/b"]),
        ("10.0.0.1:1, 10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2", ["10.0.0.1:1", "10.0.0.2:2"]),
        (
            "one:1,two:2,both:3",
            "ipv4:10.0.0.1:1,10.0.0.1:2,10.0.0.3:3",
            ["one:1", "two:2", "both:3"],
        ),
        ("both:1,six:2", "ipv6:[fd00::1]:1,[fd00::6]:2", ["both:1", "six:2"]),
        (
            "ipv4:10.0.0.1:1,10.0.0.2:1",
            "ipv4:10.0.0.1:1,10.0.0.2:1",
            ["ipv4:10.0.0.1:1", "ipv4:10.0.0.2:1"],
        ),
    ],
)
def test_addresses_become_targets_and_servers(address, target, servers):
    assert (dial_target(address), list_servers(address)) == (target, servers)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("one:1,unix:/run/a", "mixes"),
        ("dns:///two:1,one:1", "mixes"),
        ("one:1,,two:1", "empty entry"),
        ("one:1,gone:1", "looked up"),
        ("one:1,six:1", "in common"),
    ],
)
def test_lists_that_cannot_be_dialled_are_refused(address, words):
    with pytest.raises(AddressUnusable, match=words):
        dial_target(address)
