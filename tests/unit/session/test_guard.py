"""Which addresses may be fetched from."""

from __future__ import annotations

import inspect
import re
import socket
from typing import Any

import pytest

from muniment.errors.sources import AddressNeverAllowed, AddressRefused, HostUnknown
from muniment.session import Guard, guard, networks
from muniment.session.account import Origin
from muniment.session.guard import why_refused
from muniment.testing.connections import attempted_connections

INSIDE = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9",
    "192.0.0.9", "192.88.99.1", "168.63.129.16", "100.100.100.200", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255",
    "::", "::1", "fe80::1", "fec0::1", "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::10.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::a00:1",
    "2002:7f00:1::", "2002:a00:1::1", "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    "::ffff:8.8.8.8", "3fff::1", "3fff:fff::1", "5f00::1", "100::1", "2001:2::1", "2001:20::1", "4000::1",
    "fd00:ec2::254",
]  # fmt: skip
OUTSIDE = [
    "93.184.216.34", "8.8.8.8", "172.32.0.1", "192.0.1.1", "168.63.129.17", "198.20.0.1", "223.255.255.255",
    "2606:2800:220:1:248:1893:25c8:1946", "2a00::1", "64:ff9b::808:808", "2002:808:808::1",
]  # fmt: skip
AGENTS = [
    "169.254.169.254", "168.63.129.16", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254", "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
]  # fmt: skip


REASONS = {
    "127.0.0.1": "it is this machine",
    "::1": "it is this machine",
    "0.0.0.0": "it is no address of a machine",
    "169.254.169.254": "it is link-local",
    "224.0.0.1": "it is a group's address",
    "10.1.2.3": "it is in a private network",
    "::ffff:10.0.0.1": "it carries an IPv4 address, of which it is in a private network",
    "::10.0.0.1": "it carries an IPv4 address, of which it is in a private network",
    "2002:a00:1::1": "it carries an IPv4 address, of which it is in a private network",
    "64:ff9b::a00:1": "it carries an IPv4 address, of which it is in a private network",
    "nonsense": "it is no address",
}


@pytest.mark.parametrize("address", REASONS)
def test_the_reason_why_an_address_is_refused_is_said(address: str) -> None:
    assert why_refused(address) == REASONS[address]


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_of_the_outside_has_no_reason(address: str) -> None:
    assert why_refused(address) is None


def resolving(*addresses: str) -> Any:
    def resolve(host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return resolve


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_of_the_inside_are_refused_without_a_connection(address: str) -> None:
    with attempted_connections() as attempts, pytest.raises(AddressRefused):
        Guard(resolve=resolving(address)).connect("a.example", 80, 5)
    assert attempts == []


def test_a_refusal_names_the_setting_that_opens_private_networks() -> None:
    with pytest.raises(AddressRefused, match="MUNIMENT_ALLOW_PRIVATE_ADDRESSES"):
        Guard(resolve=resolving("10.0.0.1")).addresses("a.example", 80)


@pytest.mark.parametrize("address", AGENTS)
def test_agents_of_cloud_hosts_are_refused_also_where_private_addresses_are_allowed(address: str) -> None:
    opened = Guard(allow_private_addresses=True, resolve=resolving(address))
    with attempted_connections() as attempts, pytest.raises(AddressNeverAllowed):
        opened.connect("a.example", 80, 5)
    assert attempts == []


def test_the_tables_are_our_own_and_not_those_of_a_python() -> None:
    """What a version of Python takes for global changes nothing."""
    names = {name for module in (guard, networks) for name in re.findall(r"\bis_[a-z_]+", inspect.getsource(module))}
    assert names <= {"is_agent"}


@pytest.mark.parametrize("address", OUTSIDE)
def test_addresses_of_the_outside_are_allowed(address: str) -> None:
    assert Guard(resolve=resolving(address)).addresses("a.example", 80) == [address]


def test_one_private_address_refuses_the_whole_name() -> None:
    with attempted_connections() as attempts, pytest.raises(AddressRefused):
        Guard(resolve=resolving("8.8.8.8", "10.0.0.1")).connect("a.example", 80, 5)
    assert attempts == []


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "localhost", "0"])
def test_other_spellings_of_this_machine_are_refused(host: str) -> None:
    with attempted_connections() as attempts, pytest.raises(AddressRefused):
        Guard().connect(host, 80, 5)
    assert attempts == []


def test_private_addresses_are_allowed_when_the_keeper_says_so() -> None:
    assert Guard(allow_private_addresses=True).addresses("127.0.0.1", 80) == ["127.0.0.1"]


def test_a_zone_is_refused_and_nonsense_is_unknown() -> None:
    with pytest.raises(AddressRefused):
        Guard(allow_private_addresses=True).addresses("fe80::1%eth0", 80)
    for host in ("a" * 300, ".."):
        with pytest.raises(HostUnknown):
            Guard().addresses(host, 80)

    def nobody_knows(*_: object, **__: object) -> list[tuple[Any, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(HostUnknown, match="not known"):
        Guard(resolve=nobody_knows).addresses("no-such-host.invalid", 80)
    with pytest.raises(HostUnknown):
        Guard(resolve=resolving()).addresses("a.example", 80)


def test_the_name_is_asked_once_and_the_checked_address_is_connected_to() -> None:
    """A name server that answers otherwise the second time (DNS rebinding) is never asked a second time."""
    answers = iter([["127.0.0.1"], ["10.9.9.9"]])

    def resolve(host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in next(answers)]

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with Guard(allow_private_addresses=True, resolve=resolve).connect("rebinding.example", port, 5) as connection:
            assert connection.getpeername() == ("127.0.0.1", port)
    assert next(answers) == ["10.9.9.9"]


def test_what_is_no_address_is_refused() -> None:
    assert why_refused("nonsense") == "it is no address"


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/", "file:///etc/passwd", "gopher://a.example", "//a.example/", "http://", "http://[::1", "http://a:99999/",
     "http://user@a.example/", "https://user:hunter2@a.example/", "http://a.example:x/"],
)  # fmt: skip
def test_urls_that_are_no_plain_web_address_are_refused_without_showing_a_password(url: str) -> None:
    with pytest.raises(AddressRefused) as refusal:
        Origin.of(url)
    assert "hunter2" not in str(refusal.value)


def test_an_origin_is_scheme_host_and_port() -> None:
    assert Origin.of("https://A.Example/x") == ("https", "a.example", 443)
    assert Origin.of("http://a.example.:8080/x").authority == "a.example:8080"
    assert Origin.of("https://bücher.example/").host == "xn--bcher-kva.example"
    assert Origin.of("http://[2001:db8::1]/").authority == "[2001:db8::1]"


@pytest.mark.parametrize("text", ["", "nonsense", "300.1.1.1"])
def test_what_is_no_address_is_no_cloud_hosts_agent_and_not_public(text: str) -> None:
    assert not guard.is_agent(text)
    assert why_refused(text) == "it is no address"
