"""A file that comes from a server: taken up again where it was cut, and compared with its digest at its end."""

from __future__ import annotations

import contextlib
import http.client
import io
from collections.abc import Mapping
from typing import Any

from muniment.content import Hashers
from muniment.errors.archive import DamagedFile
from muniment.remote.connection import Broken, Server, cut, pause

_ATTEMPTS = 6


class RemoteFile(io.RawIOBase):
    """The bytes of one file from an offset on; `digest` is what the whole must have, where it is to be checked."""

    def __init__(
        self,
        server: Server,
        path: str,
        query: Mapping[str, object],
        *,
        name: str,
        offset: int = 0,
        digest: tuple[str, str] | None = None,
    ) -> None:
        """Begin at once.

        Raises:
            ServerUnreachable, TransferCut: It does not come.
            MunimentError: What the server says.
        """
        super().__init__()
        self._server = server
        self._path = path
        self._query = query
        self.name = name
        self._position = offset
        self._digest = digest if offset == 0 else None
        self._hashers = Hashers([digest[0]] if self._digest and digest else [])
        self._etag = ""
        self._total = -1
        self._connection: http.client.HTTPConnection | None = None
        self._answer: http.client.HTTPResponse | None = None
        self._server.retry(self._open)

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes; the read after the last one fails when the file is not what it should be.

        Raises:
            TransferCut: The connection broke too often.
            DamagedFile: The bytes are not those that came into the archive.
        """
        if self._position >= self._total:
            self._compare()
            return 0
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                count = self._some(memoryview(buffer).cast("B"))
            except Broken as error:
                self._let_go()
                if attempt == _ATTEMPTS:
                    raise cut(self.name, error) from error
                pause(attempt)
                continue
            self._position += count
            if self._position >= self._total:
                self._done()
            return count
        raise AssertionError("unreachable: the last attempt returns or raises")

    def close(self) -> None:
        """Let go of the connection."""
        self._let_go()
        super().close()

    def _some(self, view: memoryview) -> int:
        if self._answer is None:
            self._open()
        assert self._answer is not None
        count = self._answer.readinto(view[: self._total - self._position])
        if not count:
            # It ended before its announced end: cut, or broken off because the file is damaged.
            raise http.client.IncompleteRead(b"", self._total - self._position)
        self._hashers.update(view[:count])
        return count

    def _open(self) -> None:
        headers = {}
        if self._position or self._etag:
            headers["Range"] = f"bytes={self._position}-"
        if self._etag:
            headers["If-Range"] = self._etag
        if self._position and self._position == self._total:
            return
        connection, answer = self._server.open("GET", self._path, self._query, headers=headers)
        if self._position and answer.status != http.client.PARTIAL_CONTENT:
            connection.close()
            raise cut(self.name, OSError("the file is another one now"))
        length = int(answer.headers.get("Content-Length") or 0)
        self._total = self._position + length
        self._etag = answer.headers.get("ETag", "")
        self._connection, self._answer = connection, answer
        if not length:
            self._done()

    def _done(self) -> None:
        if self._connection is not None and self._answer is not None:
            with contextlib.suppress(*Broken):
                self._answer.read()
            self._server.give_back(self._connection, self._answer)
        self._connection = self._answer = None

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._answer = None

    def _compare(self) -> None:
        if self._digest is None:
            return
        algorithm, expected = self._digest
        found = self._hashers.values()[algorithm]
        if found != expected:
            raise DamagedFile(path=self.name, algorithm=algorithm, found=found, expected=expected)
