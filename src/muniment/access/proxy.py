"""The user a reverse proxy has checked: believed only from its address, and only when the list of users has them."""

from __future__ import annotations

import csv
import ipaddress
import os
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from muniment.access.identities import PROXY_REALM, Caller, Identity
from muniment.errors.access import BadProxy, BadUsersFile, UserNotListed

DEFAULT_HEADER = "remote-user"
UNIX_SOCKET = "unix"
_HEADER = re.compile(r"[A-Za-z0-9-]+\Z")
_OWN_HEADERS = ("authorization", "cookie", "host")
_COLUMNS = ("email_address", "display_name")
_LARGEST_FILE = 16 * 1024 * 1024
_YOUNG_SECONDS = 2.0
"""Filesystems count time in steps; a file this young may still change without looking changed."""


class UsersFile:
    """The list of users: CSV with `email_address,display_name`. An edit counts from the next request on."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._signature: tuple[int, ...] | None = None
        self._callers: dict[str, Caller] = {}

    def caller(self, user: str) -> Caller | None:
        """The listed user of this mail address (capital or small letters alike); None if there is none.

        Raises:
            BadUsersFile: The list cannot be read. Nobody is let in by an older one.
        """
        try:
            found = self.path.stat()
            signature = (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
            if signature != self._signature:
                self._callers = dict(self._read())
                settled = time.time() - max(found.st_mtime, found.st_ctime) > _YOUNG_SECONDS
                self._signature = signature if settled else None
        except OSError as error:
            raise BadUsersFile(path=self.path, reason=error.strerror or str(error)) from error
        return self._callers.get(user.casefold())

    def _read(self) -> Iterable[tuple[str, Caller]]:
        if self.path.stat().st_size > _LARGEST_FILE:
            raise BadUsersFile(path=self.path, reason=f"it is larger than {_LARGEST_FILE} bytes")
        try:
            text = self.path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise BadUsersFile(path=self.path, reason=f"byte {error.start} is not UTF-8") from error
        return [(caller.subject, caller) for caller in _parsed(self.path, text)]


def _parsed(path: Path, text: str) -> Iterable[Caller]:
    try:
        rows = csv.DictReader(text.splitlines(), strict=True)
        columns = [name.strip().casefold() for name in rows.fieldnames or ()]
        if not set(_COLUMNS) <= set(columns):
            raise BadUsersFile(path=path, reason="its first line does not name the columns")
        rows.fieldnames = columns
        for row in rows:
            address, name = ((row[column] or "").strip() for column in _COLUMNS)
            if not address:
                continue
            if not address.isprintable() or len(address) > 320:  # noqa: PLR2004 - RFC 3696, erratum 1690, rounded up
                raise BadUsersFile(path=path, reason=f"line {rows.line_num} has no usable address")
            user = Identity.user(PROXY_REALM, address.casefold())
            shown = name if name.isprintable() else ""
            yield Caller.known(user, display_name=shown or address, email=address, scheme="proxy")
    except csv.Error as error:
        raise BadUsersFile(path=path, reason=f"it is not CSV ({error})") from error


class TrustedProxy:
    """Where the proxy calls from, in which header it names the user, and who may be named."""

    def __init__(self, trusted: Iterable[str], users: str | os.PathLike[str], *, header: str = DEFAULT_HEADER) -> None:
        """Trust `header` from these addresses and networks; the word `unix` stands for a Unix socket.

        Raises:
            BadProxy: An address is none, none is given, or the header has another meaning.
        """
        self.header = header.lower()
        if not _HEADER.match(header) or self.header in _OWN_HEADERS:
            raise BadProxy(reason=f"{header!r} cannot be the header that names the user")
        self.users = UsersFile(users)
        self._socket = False
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for text in trusted:
            if text == UNIX_SOCKET:
                self._socket = True
                continue
            try:
                self._networks.append(ipaddress.ip_network(text))
            except ValueError as error:
                raise BadProxy(reason=f"{text!r} is no address or network: {error}") from error
        if not self._networks and not self._socket:
            raise BadProxy(reason="no address is given from which it calls")
        self._known: dict[str, bool] = {}

    def caller(self, headers: Mapping[str, str], client_address: str) -> Caller | None:
        """Whom the proxy names; None if it names nobody, or if the request does not come from it.

        Raises:
            UserNotListed: The list of users does not have them.
            BadUsersFile: The list cannot be read.
        """
        user = headers.get(self.header, "").strip()
        if not user or not self.trusts(client_address):
            return None
        caller = self.users.caller(user)
        if caller is None:
            raise UserNotListed(user=user[:100])
        return caller

    def trusts(self, client_address: str) -> bool:
        """Whether a request from this address is the proxy's. An empty address is that of a Unix socket."""
        if client_address in {"", UNIX_SOCKET}:
            return self._socket
        known = self._known.get(client_address)
        if known is None:
            known = self._in_networks(client_address)
            if len(self._known) < 1000:  # noqa: PLR2004 - proxies are few; strangers must not fill the memory
                self._known[client_address] = known
        return known

    def _in_networks(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)
