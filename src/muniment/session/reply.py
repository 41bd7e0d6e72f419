"""Answers: the open one, whose body is still to come, and the small one that was read whole."""

from __future__ import annotations

import contextlib
import json
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from muniment.errors.sources import UnexpectedAnswer
from muniment.session.connections import Connection, Pool
from muniment.session.redaction import shown

_DRAIN = 65_536
_LONGEST = 600.0


class Reply:
    """An answer whose head was read; its body comes by `readinto`, and the connection goes back when it is done."""

    def __init__(self, connection: Connection, pool: Pool, url: str) -> None:
        self.url = url
        self.status = connection.status
        self.reason = connection.reason
        self.headers: Mapping[str, str] = connection.headers
        self.length = connection.length
        self.redirects: tuple[int, ...] = ()
        """The statuses of the redirects that led here, in order."""
        self._connection: Connection | None = connection
        self._pool = pool

    def readinto(self, buffer: memoryview) -> int:
        """The next bytes of the body; 0 at its end.

        Raises:
            OSError: The connection failed before the end.
        """
        if self._connection is None:
            return 0
        try:
            count = self._connection.readinto(buffer)
        except BaseException:
            self.close()
            raise
        if not count and len(buffer):
            self._pool.give_back(self._connection)
            self._connection = None
        return count

    def close(self) -> None:
        """Be done with it, read to the end or not."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def drain(self) -> None:
        """Be done with it, keeping the connection if little is left to read."""
        with contextlib.suppress(OSError):
            self.read(_DRAIN)
        self.close()

    def read(self, limit: int) -> bytes:
        """The body, or its first `limit` bytes and one.

        Raises:
            OSError: The connection failed before the end.
        """
        parts: list[bytes] = []
        size = 0
        until = time.monotonic() + _LONGEST
        buffer = memoryview(bytearray(min(limit + 1, _DRAIN)))
        while size <= limit and (count := self.readinto(buffer)):
            parts.append(bytes(buffer[:count]))
            size += count
            if time.monotonic() > until:
                self.close()
                raise TimeoutError
        return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was read whole. Header names are in small letters."""

    service: str
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, reply: Reply, service: str, limit: int) -> Answer:
        """Read the body, of at most `limit` bytes, also when it comes compressed.

        Raises:
            UnexpectedAnswer: It is larger, or not compressed as it says.
            OSError: The connection failed before the end.
        """
        body = reply.read(limit)
        if reply.headers.get("content-encoding", "").lower() in {"gzip", "x-gzip", "deflate"}:
            body = _inflate(body, limit, service, reply.url)
        if len(body) > limit:
            reply.close()
            raise UnexpectedAnswer(service=service, where=shown(reply.url), reason=f"it is larger than {limit} bytes")
        return cls(service, reply.url, reply.status, reply.headers, body)

    @property
    def content_type(self) -> str:
        """The media type without its parameters, in small letters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self) -> object:
        """The body as JSON.

        Raises:
            UnexpectedAnswer: It is not JSON.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            kind = self.content_type or "no media type"
            raise UnexpectedAnswer(
                service=self.service, where=shown(self.url), reason=f"it is not JSON ({kind})"
            ) from None

    def object(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            UnexpectedAnswer: It is none.
        """
        value = self.json()
        if not isinstance(value, dict):
            raise UnexpectedAnswer(service=self.service, where=shown(self.url), reason="it is not a JSON object")
        return value

    def list(self) -> list[Any]:
        """The body as a JSON list.

        Raises:
            UnexpectedAnswer: It is none.
        """
        value = self.json()
        if not isinstance(value, list):
            raise UnexpectedAnswer(service=self.service, where=shown(self.url), reason="it is not a JSON list")
        return value


def _inflate(body: bytes, limit: int, service: str, url: str) -> bytes:
    machine = zlib.decompressobj(wbits=47)  # 47: zlib or gzip, by its header
    try:
        return machine.decompress(body, limit + 1)
    except zlib.error:
        raise UnexpectedAnswer(service=service, where=shown(url), reason="it is not compressed as it says") from None
