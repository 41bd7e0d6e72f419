"""Talking to one server: a pool of connections, retries, and refusals as errors. The key stays in its header."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import select
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit
from weakref import WeakSet

from muniment.errors.base import BadInput, MunimentError
from muniment.errors.remote import NotAnArchiveServer, ServerUnreachable, TransferCut
from muniment.remote.problems import error_of

PREFIX = "/archive/v1"
LONG = 6 * 3600.0
"""Seconds the server may work in silence: a commit of very much, an import."""

_SHORT = 60.0
_ATTEMPTS = 6
_IDLE = 8
_LONGEST_PROBLEM = 1 << 20
_SUCCESS = range(200, 300)

Result = TypeVar("Result")
Broken = (OSError, http.client.HTTPException)
"""What a cut connection looks like."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A small answer, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The document in it."""
        return json.loads(self.body) if self.body else None


class Server:
    """One archive's server."""

    def __init__(self, url: str, key: str | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        """Remember where it is and how to sign in; nothing is sent yet.

        Raises:
            BadInput: The address is none, or holds credentials.
        """
        parts = urlsplit(url)
        if parts.username or parts.password:
            raise BadInput(reason="an address must not hold credentials, for addresses are logged; give the key apart")
        if parts.scheme.lower() not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise BadInput(reason=f"{url} is not the address of an archive, such as https://archive.example.org/")
        try:
            self._port = parts.port
        except ValueError as error:
            raise BadInput(reason=f"{url} has no usable port") from error
        self._host = parts.hostname
        self._tls = (tls or ssl.create_default_context()) if parts.scheme.lower() == "https" else None
        self._root = parts.path.rstrip("/").removesuffix(PREFIX) + PREFIX
        self.url = f"{parts.scheme.lower()}://{parts.netloc}{parts.path.rstrip('/').removesuffix(PREFIX)}/"
        self._key = key
        self._idle: list[http.client.HTTPConnection] = []
        self._lent: WeakSet[http.client.HTTPConnection] = WeakSet()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """Where it is, without the key."""
        return f"<Server {self.url}>"

    def close(self) -> None:
        """End the idle connections, and those in use when they are given back."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._lent.clear()
        for connection in idle:
            connection.close()

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None = None,
        *,
        given: object = None,
        headers: Mapping[str, str] | None = None,
        patience: float = _SHORT,
        again: bool = True,
    ) -> Reply:
        """Ask for something small, and once more when the connection breaks, if `again` may do no harm.

        Raises:
            ServerUnreachable: It does not answer.
            MunimentError: What the server says.
        """
        sent = {"Accept": "application/json", **(headers or {})}
        body = None if given is None else json.dumps(given).encode("utf-8")
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        return self.retry(lambda: self._once(method, path, query, sent, body, patience), again=again)

    def retry(self, work: Callable[[], Result], *, again: bool = True) -> Result:
        """Do something, and do it again when the connection breaks or the server asks for patience.

        Raises:
            ServerUnreachable: It does not answer.
            MunimentError: What the server says.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return work()
            except MunimentError as error:
                if not (error.retry and error.http_status in {409, 429, 503}) or attempt == _ATTEMPTS or not again:
                    raise
            except Broken as error:
                if attempt == _ATTEMPTS or not again:
                    raise ServerUnreachable(url=self.url, reason=_reason(error)) from error
            pause(attempt)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def open(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
        patience: float = _SHORT,
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Ask once; an answer of success, its body still to come. Hand both to `give_back` when it is read.

        Raises:
            OSError, http.client.HTTPException: The connection broke.
            MunimentError: What the server says.
        """
        connection = self._connection(patience)
        try:
            answer = self._exchange(connection, method, path, query, dict(headers or {}), body)
            if answer.status in _SUCCESS:
                return connection, answer
            data = answer.read(_LONGEST_PROBLEM)
            kind = answer.headers.get("Content-Type", "")
        except BaseException:
            connection.close()
            raise
        self.give_back(connection, answer)
        raise error_of(answer.status, kind, data, self.url)

    def give_back(self, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse) -> None:
        """Keep a connection for the next request, if its answer was read to the end."""
        if not answer.isclosed() or answer.will_close or connection.sock is None:
            connection.close()
            return
        with self._lock:
            if len(self._idle) < _IDLE and connection in self._lent:
                self._idle.append(connection)
                return
        connection.close()

    def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None,
        headers: Mapping[str, str],
        body: bytes | None,
        patience: float,
    ) -> Reply:
        connection, answer = self.open(method, path, query, headers=headers, body=body, patience=patience)
        try:
            data = answer.read()
        except BaseException:
            connection.close()
            raise
        reply = Reply(answer.status, {name.lower(): value for name, value in answer.headers.items()}, data)
        self.give_back(connection, answer)
        return reply

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        query: Mapping[str, object] | None,
        headers: dict[str, str],
        body: bytes | Iterable[bytes] | None,
    ) -> http.client.HTTPResponse:
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        target = self._root + path
        if query:
            chosen = {name: value for name, value in query.items() if value is not None}
            target += f"?{urlencode(chosen, quote_via=quote)}" if chosen else ""
        try:
            chunked = headers.get("Transfer-Encoding") == "chunked"
            connection.request(method, target, body, headers, encode_chunked=chunked)
        except (BrokenPipeError, ConnectionResetError):
            # The server may have refused before it read everything; what it said is then waiting.
            with contextlib.suppress(*Broken):
                return connection.getresponse()
            raise
        return connection.getresponse()

    def _connection(self, patience: float) -> http.client.HTTPConnection:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else self._connect(patience)
                self._lent.add(connection)
            if connection.sock is None:
                return connection
            if not select.select([connection.sock], [], [], 0)[0]:
                connection.sock.settimeout(patience)
                return connection
            # Readable though nothing was asked: the server closed it.
            connection.close()

    def _connect(self, patience: float) -> http.client.HTTPConnection:
        if self._tls is not None:
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=patience, context=self._tls, blocksize=1 << 18
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=patience, blocksize=1 << 18)


def pause(attempt: int) -> None:
    """Wait before the next attempt: a tenth of a second, two tenths, four …, each shortened at random."""
    time.sleep(min(5.0, 0.1 * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0))  # noqa: S311 - no secret


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")


def cut(what: str, error: BaseException) -> TransferCut:
    """The error for a transfer that broke too often."""
    return TransferCut(what=what, reason=_reason(error))


def not_a_server(url: str, error: Exception) -> NotAnArchiveServer:
    """The error for an answer that no archive's server gives."""
    return NotAnArchiveServer(url=url, reason=f"its answer cannot be read ({type(error).__name__})")


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
    return str(error) or type(error).__name__
