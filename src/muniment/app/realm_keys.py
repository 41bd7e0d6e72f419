"""Calls to the issuers of OIDC realms, at addresses that an administrator has set: keys, and tokens for codes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse

_LARGEST = 1 << 20
_PIECE = 1 << 16
_SECONDS = 10.0
"""How long each step may take, and the whole body."""


def fetch_keys(url: str) -> bytes:
    """The body of a document; redirects are not followed, and private addresses are allowed on purpose.

    Raises:
        OSError: It cannot be had, or is larger than 1 MiB.
    """
    return _asked("GET", url, None, {}, refused=True)


def exchange_code(url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> bytes:
    """The body of the answer to a form that was posted, also of one that says what is wrong (RFC 6749 §5.2).

    Raises:
        OSError: There is no answer, or one larger than 1 MiB.
    """
    return _asked("POST", url, form, {"Accept": "application/json", **headers}, refused=False)


def _asked(
    method: str, url: str, form: Mapping[str, str] | None, headers: Mapping[str, str], *, refused: bool
) -> bytes:
    from http.client import HTTPException  # noqa: PLC0415 - only realms need it

    body = urlencode(form) if form else None
    kind = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
    try:
        connection, target = _connection(url)
        try:
            connection.request(method, target, body, {**kind, **headers})
            answer = connection.getresponse()
            if refused and answer.status // 100 != 2:  # noqa: PLR2004 - the class of what went well
                raise OSError(f"{url} answers {answer.status} {answer.reason}")
            return _body(answer, url)
        finally:
            connection.close()
    except (HTTPException, ValueError) as error:
        raise OSError(f"{url}: {type(error).__name__} {error}") from error


def _connection(url: str) -> tuple[HTTPConnection, str]:
    """A connection that is made when it is used, and what is asked for on it. No proxy comes from the environment."""
    from http.client import HTTPConnection, HTTPSConnection  # noqa: PLC0415 - as above

    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise OSError(f"{url} is not the address of a server")
    made = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return made(parts.hostname, parts.port, timeout=_SECONDS), target


def _body(answer: HTTPResponse, url: str) -> bytes:
    until = time.monotonic() + _SECONDS
    body = bytearray()
    while piece := answer.read1(_PIECE):
        body += piece
        if len(body) > _LARGEST:
            raise OSError(f"{url} answers with more than {_LARGEST} bytes")
        if time.monotonic() > until:
            raise OSError(f"{url} has not ended its answer after {_SECONDS:.0f} s")
    if answer.length:
        raise OSError(f"{url} broke off {answer.length} bytes before the end of its answer")
    return bytes(body)
