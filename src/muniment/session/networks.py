"""The networks that are not the public internet, in tables of our own: those of Python change from version to version.

From the registries of special-purpose addresses at IANA (RFC 6890 and its successors), read in November 2026.
Networks of protocols are refused whole, also where a single address in them may be reached.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_TABLE: Mapping[str, tuple[str, ...]] = {
    "it is this machine": ("127.0.0.0/8", "::1/128"),
    "it is no address of a machine": ("0.0.0.0/8", "::/128"),
    "it is link-local": ("169.254.0.0/16", "fe80::/10"),
    "it is a group's address": ("224.0.0.0/4", "ff00::/8"),
    "it is in a private network": (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
        "fc00::/7", "fec0::/10", "64:ff9b:1::/48", "5f00::/16",
    ),
    "it is kept for protocols": ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "100::/64", "100:0:0:1::/64"),
    "it is kept for examples and tests": (
        "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20",
    ),
    "it is reserved": ("240.0.0.0/4",),
    "it is the agent of a cloud host": ("168.63.129.16/32",),
}  # fmt: skip


def _rows() -> Iterator[tuple[Network, str]]:
    for reason, networks in _TABLE.items():
        for network in networks:
            yield ipaddress.ip_network(network), reason


NOT_PUBLIC = tuple(_rows())
"""Network and why it is not for the public."""

GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""The only part of IPv6 that is given out to the public (RFC 4291 §2.4)."""

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Addresses that carry an IPv4 address at their end (RFC 6052); it decides on them."""

AGENTS = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "169.254.169.254",  # Amazon, Google, Azure, DigitalOcean, OpenStack and most others
        "169.254.170.2",  # Amazon's containers
        "169.254.170.23",
        "169.254.42.42",  # Scaleway
        "168.63.129.16",  # Azure
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle
        "fd00:ec2::254",  # Amazon
        "fd00:ec2::23",
        "fd20:ce::254",  # Google
        "fd00:42::42",  # Scaleway
        "fe80::a9fe:a9fe",  # OpenStack
    )
)
"""Where hosts of virtual machines answer these with their credentials. Never fetched from, whatever is allowed."""
