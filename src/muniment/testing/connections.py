"""Watching what a test connects to: nothing may leave this machine, and what is refused may not even be tried.

Connections made in Python are seen; those of other programs (git, a browser) and of libraries in C are not.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Callable, Iterator
from typing import Any

Place = tuple[str, int]
"""Host (an address, or a name that was asked for) and port."""


class LeftTheMachine(OSError):
    """A test wanted to reach something that is not on this machine."""


@contextlib.contextmanager
def attempted_connections() -> Iterator[list[Place]]:
    """The places connected to by this process, successfully or not, during a `with` block."""
    attempts: list[Place] = []
    with _watched(attempts.append, lambda _: None):
        yield attempts


@contextlib.contextmanager
def loopback_only() -> Iterator[list[str]]:
    """Refuse connections and look-ups that leave the machine; the list says which were tried."""
    offences: list[str] = []

    def connected(place: Place) -> None:
        if not _is_loopback(place[0]):
            offences.append(f"a connection to {place[0]} port {place[1]}")
            raise LeftTheMachine(offences[-1])

    def resolved(host: object) -> None:
        name = host.decode("utf-8", "replace") if isinstance(host, bytes) else str(host or "")
        if not _is_local(name):
            offences.append(f"a look-up of the name {name[:80]!r}")
            raise socket.gaierror(socket.EAI_NONAME, "A test may not ask name servers")

    with _watched(connected, resolved):
        yield offences


@contextlib.contextmanager
def _watched(connected: Callable[[Place], None], resolved: Callable[[object], None]) -> Iterator[None]:
    """Call `connected` before each connection over IP, `resolved` before each look-up of a name."""
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def told(stream: socket.socket, address: Any) -> None:
        if stream.family in {socket.AF_INET, socket.AF_INET6}:
            connected((str(address[0]), int(address[1])))

    def watched_connect(self: socket.socket, address: Any) -> None:
        told(self, address)
        connect(self, address)

    def watched_connect_ex(self: socket.socket, address: Any) -> int:
        told(self, address)
        return connect_ex(self, address)

    def watched_getaddrinfo(host: Any, *rest: Any, **named: Any) -> object:
        resolved(host)
        return getaddrinfo(host, *rest, **named)

    replaced: list[tuple[object, str, object, object]] = [
        (socket.socket, "connect", connect, watched_connect),
        (socket.socket, "connect_ex", connect_ex, watched_connect_ex),
        (socket, "getaddrinfo", getaddrinfo, watched_getaddrinfo),
    ]
    for owner, name, _, watched in replaced:
        setattr(owner, name, watched)
    try:
        yield
    finally:
        for owner, name, original, _ in replaced:
            setattr(owner, name, original)


def _is_loopback(host: str) -> bool:
    if host in {"localhost", ""}:
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _is_local(name: str) -> bool:
    """Whether a name is answered without a name server: an address in any spelling, this machine, or nonsense."""
    # A name of over 253 characters is none (RFC 1035 §2.3.4).
    if name in {"", "localhost", socket.gethostname()} or ":" in name or len(name) > 253:
        return True
    if not name.strip("."):
        return True
    with contextlib.suppress(OSError):
        socket.inet_aton(name)
        return True
    return False
