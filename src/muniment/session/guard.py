"""The address guard: names are resolved once, private addresses refused, and the checked address is connected to."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Any

from muniment.errors.sources import AddressNeverAllowed, AddressRefused, HostUnknown
from muniment.session.networks import AGENTS, GLOBAL_UNICAST, NAT64, NOT_PUBLIC

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[..., Sequence[tuple[Any, ...]]]

_COMPATIBLE = ipaddress.IPv6Network("::/96")


class Guard:
    """Decides which addresses may be connected to.

    With `allow_private_addresses` every address may, for intranets and tests, but those at which a cloud host gives
    its own credentials to whoever asks. `resolve` is `socket.getaddrinfo`.
    """

    def __init__(self, *, allow_private_addresses: bool = False, resolve: Resolve = socket.getaddrinfo) -> None:
        self.allow_private_addresses = allow_private_addresses
        self._resolve = resolve

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of `host`, each of them allowed.

        One that is refused refuses the whole name: a name that points both outside and inside is not honest.

        Raises:
            AddressRefused: The name leads to a private or otherwise reserved address.
            AddressNeverAllowed: It leads to the agent of a cloud host.
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
        for address in addresses:
            if is_agent(address):
                raise AddressNeverAllowed(host=host, reason="it is where a cloud host answers its own machines")
            if not self.allow_private_addresses and (refusal := why_refused(address)):
                raise AddressRefused(host=host, reason=refusal)
        return addresses

    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        """A connection to the first address of `host` that answers.

        Raises:
            AddressRefused, AddressNeverAllowed, HostUnknown: As from `addresses`.
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
    for network, reason in NOT_PUBLIC:
        if address in network:
            return reason
    # What is not given out at all is refused without being named, but for addresses that carry a public IPv4 one.
    if isinstance(address, ipaddress.IPv6Address) and address not in GLOBAL_UNICAST and address not in NAT64:
        return "it is reserved"
    return None


def is_agent(text: str) -> bool:
    """Whether a cloud host answers its own machines at this address, also where another address carries it."""
    try:
        address: Address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address in AGENTS or any(inner in AGENTS for inner in _embedded(address))


def _embedded(address: Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address stands for: mapped, compatible, 6to4, Teredo, NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in NAT64 or (address in _COMPATIBLE and int(address) > 1):
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in found if each is not None]
