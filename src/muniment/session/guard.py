"""The address guard: names are resolved once, private addresses refused, and the checked address is connected to."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Any

from muniment.errors.sources import AddressRefused, HostUnknown

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[..., Sequence[tuple[Any, ...]]]

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052; the prefix for local use (RFC 8215) is not global
_COMPATIBLE = ipaddress.IPv6Network("::/96")


class Guard:
    """Decides which addresses may be connected to.

    With `allow_private_addresses` every address may: for intranets and tests. `resolve` is `socket.getaddrinfo`.
    """

    def __init__(self, *, allow_private_addresses: bool = False, resolve: Resolve = socket.getaddrinfo) -> None:
        self.allow_private_addresses = allow_private_addresses
        self._resolve = resolve

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of `host`, each of them allowed.

        One that is refused refuses the whole name: a name that points both outside and inside is not honest.

        Raises:
            AddressRefused: The name leads to a private or otherwise reserved address.
            HostUnknown: The name cannot be resolved.
        """
        if "%" in host:
            raise AddressRefused(host=host, reason="an address with a zone is local")
        try:
            found = self._resolve(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not a host name"
            raise HostUnknown(host=host, reason=reason) from None
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        if not addresses:
            raise HostUnknown(host=host, reason="it has no address")
        if not self.allow_private_addresses:
            for address in addresses:
                if refusal := why_refused(address):
                    raise AddressRefused(host=host, reason=refusal)
        return addresses

    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        """A connection to the first address of `host` that answers.

        Raises:
            AddressRefused, HostUnknown: As from `addresses`.
            OSError: None of them answers.
        """
        trouble: OSError | None = None
        for address in self.addresses(host, port):
            try:
                connection = socket.create_connection((address, port), timeout)
            except OSError as error:
                trouble = error
                continue
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        assert trouble is not None
        raise trouble


def why_refused(text: str) -> str | None:
    """Why this address is not for the public, or None if it is."""
    try:
        address: Address = ipaddress.ip_address(text)
    except ValueError:
        return "it is no address"
    for inner in _embedded(address):
        if reason := why_refused(str(inner)):
            return f"it carries an IPv4 address, of which {reason}"
    if address in _NAT64:  # the IPv4 address in it is a public one
        return None
    for fault, reason in (
        (address.is_loopback, "it is this machine"),
        (address.is_unspecified, "it is no address of a machine"),
        (address.is_link_local, "it is link-local"),
        (address.is_multicast, "it is a group's address"),
        (address.is_private, "it is in a private network"),
        (address.is_reserved, "it is reserved"),
        (isinstance(address, ipaddress.IPv6Address) and address.is_site_local, "it is in a private network"),
        (not address.is_global, "it is not reachable from the outside"),
    ):
        if fault:
            return reason
    return None


def _embedded(address: Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address stands for: mapped, compatible, 6to4, Teredo, NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in found if each is not None]
