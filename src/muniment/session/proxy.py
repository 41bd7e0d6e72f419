"""Reaching services through an HTTP proxy: https by a tunnel (RFC 9110 §9.3.6), http by addresses in full."""

from __future__ import annotations

import contextlib
import socket
import time

from muniment.errors.sources import HostUnknown
from muniment.session.account import Origin
from muniment.session.guard import Guard

_LONGEST_HEAD = 65_536


class ProxyRefused(OSError):
    """The proxy opens no tunnel. Of the family of connection errors: it is tried again like them."""


class Proxy:
    """The proxy at `address`, which whoever runs this machine named: it may be a private one.

    The proxy connects for us and resolves names itself. What is refused here without it is refused with it, as far as
    it can be seen from here: addresses, and names that resolve here.
    """

    def __init__(self, address: str, guard: Guard) -> None:
        """Take the address of a proxy.

        Raises:
            AddressRefused: It is no http address, or carries a user name.
        """
        self.origin = Origin.of(address)
        self._guard = guard

    def connect(self, origin: Origin, timeout: float) -> socket.socket:
        """A connection to the proxy, which is one to `origin` itself where that is https.

        Raises:
            AddressRefused, AddressNeverAllowed: The guard does not allow the origin.
            OSError: The proxy does not answer, or refuses.
        """
        with contextlib.suppress(HostUnknown):  # inside such networks often only the proxy resolves names
            self._guard.addresses(origin.host, origin.port)
        stream = socket.create_connection((self.origin.host, self.origin.port), timeout)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if origin.scheme == "https":
            try:
                _open_tunnel(stream, origin, timeout)
            except BaseException:
                stream.close()
                raise
        return stream


def _open_tunnel(stream: socket.socket, origin: Origin, timeout: float) -> None:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    place = f"{host}:{origin.port}"
    stream.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode("ascii"))
    head, until = b"", time.monotonic() + timeout
    while not head.endswith(b"\r\n\r\n"):
        # A byte at a time: what follows the head belongs to the TLS handshake.
        byte = stream.recv(1)
        if not byte or len(head) > _LONGEST_HEAD or time.monotonic() > until:
            raise ProxyRefused("the proxy gave no answer")
        head += byte
    status = head.split(b"\r\n", 1)[0].decode("latin-1")
    if status.split(" ")[1:2] == [] or not status.split(" ")[1].startswith("2"):
        raise ProxyRefused(f"the proxy refused the connection: {status[:200]}")
