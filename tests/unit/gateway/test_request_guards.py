import pytest

from gateway.own_site import is_local_name
from level_rpc.address import is_loopback


@pytest.mark.parametrize(
    "host",
    [
        *(
            "localhost",
            "localhost:8000",
            "127.0.0.1:80",
            "[::1]:8000",
            "[::1]",
            "::1",
            "10.0.0.5:8",
        ),
        *("app.localhost", "gateway:8000", "LOCALHOST", "localhost.", ""),
    ],
)
def test_addresses_and_names_that_nobody_can_register_are_local(host):
    assert is_local_name(host)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "127.0.0.1.nip.io", "localhost.evil.example", "a.b."],
)
def test_names_that_anybody_can_register_are_not_local(host):
    assert not is_local_name(host)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("example.org", False),
    ],
)
def test_only_this_machine_reaches_a_loopback_address(host, expected):
    assert is_loopback(host) is expected
