"""Who calls a service: its name, the origins that may see the credential, and the credential."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

from muniment.errors.sources import AddressRefused
from muniment.session.redaction import Redactor, shown

_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Scheme, host and port: what must be equal for a credential to be sent."""

    scheme: str
    host: str
    port: int

    @staticmethod
    @functools.lru_cache(maxsize=4096)
    def of(url: str) -> Origin:
        """The origin of a URL.

        Raises:
            AddressRefused: It is not an http(s) URL, or carries a user name.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise AddressRefused(host="The URL given", reason="it cannot be read") from None
        scheme, host = parts.scheme.lower(), (parts.hostname or "").rstrip(".")
        if scheme not in _PORTS or not host:
            raise AddressRefused(host=shown(url), reason="it is not an http or https address")
        if parts.username is not None or parts.password is not None:
            raise AddressRefused(host=shown(url), reason="a user name or password does not belong into an address")
        try:
            host = host if host.isascii() else host.encode("idna").decode()
        except UnicodeError:
            raise AddressRefused(host=shown(url), reason="the name is not a host name") from None
        return Origin(scheme, host.lower(), _PORTS[scheme] if port is None else port)

    @property
    def authority(self) -> str:
        """As the Host header has it: without the scheme's own port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


Sign = Callable[[str, str, Mapping[str, str]], Mapping[str, str]]
"""(method, url, headers) to the headers that prove who calls, for services that sign each request."""


@dataclass(frozen=True, slots=True)
class Account:
    """One submission's way to one service.

    `bases` are the addresses whose origins may see the credential; it is dropped everywhere else.
    `credential_field` names the submission's field that holds it, for the message when it is refused.
    `busy_words` are how a service says in a plain 403, without any header, that it is asked too often.
    `hourly_calls` is the budget of calls for the service, for each credential, and without one for each of its hosts.
    """

    service: str
    bases: tuple[str, ...]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    credential_field: str = "access_token"
    hourly_calls: int | None = None
    busy_words: tuple[str, ...] = ()
    sign: Sign | None = field(default=None, repr=False)

    def proof(self, method: str, url: str, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The headers that prove who calls `url`; none where the credential may not be seen."""
        if Origin.of(url) not in {Origin.of(base) for base in self.bases}:
            return {}
        return self.headers if self.sign is None else {**self.headers, **self.sign(method, url, headers)}

    def credential_at(self, url: str) -> str | None:
        """The credential that `url` would see, in one text; None where it may not be seen or there is none."""
        if not self.secrets or Origin.of(url) not in {Origin.of(base) for base in self.bases}:
            return None
        return "\0".join(self.secrets)

    def is_busy(self, status: int, body: bytes) -> bool:
        """Whether a 403 means "too often" and not "not you"."""
        return status == 403 and any(word.encode() in body for word in self.busy_words)  # noqa: PLR2004 - Forbidden

    @property
    def redact(self) -> Redactor:
        """Takes this account's secrets out of a text."""
        return Redactor(self.secrets)
