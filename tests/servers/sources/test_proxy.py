"""Sessions that reach services through an institution's HTTP proxy."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from muniment.errors.sources import AddressRefused, ServiceFailed, ServiceUnreachable
from muniment.session import Account, Guard, Session
from muniment.testing.certificates import server_and_client_contexts
from muniment.testing.servers import Loopback, Reply, Request
from muniment.testing.servers.proxy import HttpProxy


class Service(Loopback):
    """Says by which name it was asked."""

    def answer(self, request: Request) -> Reply:
        return Reply.json({"host": request.headers["host"], "path": request.path})


def resolve(host: str, port: int, **how: Any) -> Sequence[tuple[Any, ...]]:
    """Names of the inside are known to the proxy alone."""
    if host == "10.1.2.3":
        return socket.getaddrinfo(host, port, **how)
    raise OSError(socket.EAI_NONAME, "Name or service not known")


def test_an_http_address_is_given_in_full_and_the_proxy_resolves_its_name() -> None:
    with Service() as service, HttpProxy({"data.example": service.port}) as proxy:
        account = Account("data", ("http://data.example",))
        with Session(Guard(resolve=resolve), proxy=proxy.url, attempts=1, timeout=10) as session:
            found = session.get(account, "http://data.example/a?b=1").object()
        assert found == {"host": "data.example", "path": "/a"}
        assert proxy.asked == ["GET http://data.example/a?b=1 HTTP/1.1"]


def test_an_https_address_is_reached_by_a_tunnel_that_the_proxy_cannot_look_into(tmp_path: Path) -> None:
    server, client = server_and_client_contexts(tmp_path, "data.example")
    with Service(server) as service, HttpProxy({"data.example": service.port}) as proxy:
        account = Account("data", ("https://data.example",))
        with Session(Guard(resolve=resolve), proxy=proxy.url, tls=client, attempts=1, timeout=10) as session:
            for _ in range(2):
                found = session.get(account, "https://data.example/a").object()
        assert found == {"host": "data.example", "path": "/a"}
        assert proxy.asked == ["CONNECT data.example:443 HTTP/1.1"], "the tunnel is kept for the next request"


def test_a_private_address_is_refused_with_a_proxy_too_and_the_proxy_hears_nothing_of_it() -> None:
    with HttpProxy({"10.1.2.3": 1}) as proxy:
        account = Account("data", ("http://10.1.2.3",))
        session = Session(Guard(resolve=resolve), proxy=proxy.url, attempts=1, timeout=10)
        with session, pytest.raises(AddressRefused):
            session.get(account, "http://10.1.2.3/")
        assert proxy.asked == []


def test_a_proxy_that_refuses_is_named_as_the_reason() -> None:
    with HttpProxy({}) as proxy:
        proxy.refusing = True
        account = Account("data", ("https://data.example",))
        session = Session(Guard(resolve=resolve), proxy=proxy.url, attempts=1, timeout=10)
        with session, pytest.raises(ServiceUnreachable, match=r"the proxy refused the connection: HTTP/1\.1 403"):
            session.get(account, "https://data.example/")
        proxy.refusing = False
        session = Session(Guard(resolve=resolve), proxy=proxy.url, attempts=1, timeout=10)
        with session, pytest.raises(ServiceFailed):
            session.get(Account("data", ("http://data.example",)), "http://data.example/")


def test_a_proxys_password_does_not_stand_in_its_address() -> None:
    with pytest.raises(AddressRefused, match="user name or password"):
        Session(Guard(), proxy="http://user:secret@proxy.example:3128")
