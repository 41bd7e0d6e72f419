"""The watch on what tests connect to: it lets nothing out, and it tells."""

from __future__ import annotations

import socket

import pytest

from muniment.testing.connections import LeftTheMachine, attempted_connections, loopback_only


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1", "2001:db8::1"])
def test_a_connection_beyond_loopback_is_refused_and_told(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with loopback_only() as offences, socket.socket(family) as stream, pytest.raises(LeftTheMachine):
        stream.connect((address, 80))
    assert offences == [f"a connection to {address} port 80"]


def test_a_name_that_a_name_server_would_be_asked_for_is_refused_and_told() -> None:
    with loopback_only() as offences, pytest.raises(socket.gaierror):
        socket.getaddrinfo("archive.example.org", 443)
    assert offences == ["a look-up of the name 'archive.example.org'"]


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "127.1", "::1"])
def test_this_machine_is_reached_as_ever(name: str) -> None:
    with loopback_only() as offences:
        assert socket.getaddrinfo(name, 80)
    assert offences == []


def test_attempts_are_seen_whether_or_not_they_succeed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with attempted_connections() as attempts:
            socket.create_connection(("127.0.0.1", port), 5).close()
    with attempted_connections() as failed, pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), 5)
    assert attempts == failed == [("127.0.0.1", port)]
