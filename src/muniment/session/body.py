"""The body of one file, which goes on after a cut connection only if the file is still the same."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from muniment.errors.sources import FileChanged, FileCut
from muniment.session.account import Account
from muniment.session.reply import Reply

if TYPE_CHECKING:
    from muniment.session.session import Session  # the two know each other; only here for the types

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_SKIP = 1024 * 1024
_WATCHED_SECONDS = 60.0
_SLOWEST = 100  # bytes in a second
_PARTIAL = 206
_OK = 200
_OUTSIDE = 416


class Body(io.RawIOBase):
    """A file's bytes as its service stores them: never decompressed, `total` bytes long if that is known.

    A cut is taken up with `Range` and `If-Range` (RFC 9110 §13.1.5). Where the service gave no validator nothing
    proves that the rest belongs to the beginning, so the reader gets `FileCut` and begins again.
    """

    def __init__(
        self,
        session: Session,
        account: Account,
        url: str,
        path: str,
        headers: Mapping[str, str],
        method: str = "GET",
        *,
        immutable: bool = False,
    ) -> None:
        super().__init__()
        self.total: int | None = None
        self.headers: Mapping[str, str] = {}
        self.url = url
        self._session = session
        self._account = account
        self._asked = url
        self._path = path
        self._sent = headers
        self._method = method
        self._immutable = immutable
        self._position = 0
        self._highest = 0  # what came below it is not new: a service that ignores ranges sends it again and again
        self._reply: Reply | None = None
        self._cuts = 0
        self._waited, self._watched_from = 0.0, 0

    def begin(self, offset: int) -> None:
        """Ask for the file from `offset` on.

        Raises:
            FileUnavailable, CredentialRefused: The service does not give it.
            RemoteError: The service failed.
        """
        reply = self._ask(offset, None)
        if reply.status == _OUTSIDE and offset:
            total = _content_range(f"bytes 0-0/{reply.headers.get('content-range', '').removeprefix('bytes */')}")
            reply.drain()
            if total is None or total[1] != offset:
                raise FileChanged(path=self._path, service=self._account.service)
            self.total = self._position = offset  # everything is there already
            return
        if reply.status not in {_OK, _PARTIAL}:
            self._session.open_failed(self._account, reply, self._path)
        self.headers, self.url = reply.headers, reply.url
        self._highest = self._watched_from = offset
        self._take(reply, offset)

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer comes with 3.12
        """Fill `buffer`; less only at the end.

        Raises:
            FileCut: The connection was cut and the file cannot be taken up again.
            FileChanged: It was cut, and the file is another by now.
            RemoteError: It was cut, and the service failed when it was asked again.
        """
        view = memoryview(buffer)
        filled = 0
        while filled < len(view) and self._reply is not None:
            try:
                count = self._receive(view[filled:])
                if not count:
                    self._end()
            except OSError as error:
                self._resume(error)
                continue
            filled += count
            self._position += count
            if self._position > self._highest:
                self._highest = self._position
                self._cuts = 0
        return filled

    def close(self) -> None:
        """Be done with it."""
        if self._reply is not None:
            self._reply.close()
            self._reply = None
        super().close()

    def _receive(self, view: memoryview) -> int:
        """The next bytes. A service that only trickles is as good as silent; the reader's own pauses do not count."""
        assert self._reply is not None
        begun = time.monotonic()
        count = self._reply.readinto(view)
        self._waited += time.monotonic() - begun
        if self._waited > _WATCHED_SECONDS:
            new = max(self._highest, self._position + count) - self._watched_from
            if new < self._waited * _SLOWEST and count:
                self._reply.close()
                self._reply = None
                raise FileCut(
                    path=self._path, service=self._account.service, size=self._position, reason="it came too slowly"
                )
            self._waited, self._watched_from = 0.0, self._watched_from + new
        return count

    def _ask(self, offset: int, validator: str | None) -> Reply:
        headers = dict(self._sent)
        if offset:
            headers["Range"] = f"bytes={offset}-"
        if validator is not None:
            headers["If-Range"] = validator
        return self._session.send(self._account, self._method, self._asked, headers)

    def _take(self, reply: Reply, offset: int) -> None:
        """Read on from `reply`, which begins at `offset` or, if the service knows no ranges, at 0."""
        self._reply, self._position = reply, offset
        if reply.status == _OK:
            self.total = reply.length
            if offset:
                self._position = 0
                self._skip(offset)
            return
        found = _content_range(reply.headers.get("content-range", ""))
        if found is None or found[0] != offset or (self.total is not None and found[1] not in {None, self.total}):
            self.close()
            raise FileChanged(path=self._path, service=self._account.service)
        self.total = found[1]

    def _skip(self, count: int) -> None:
        buffer = bytearray(min(count, _SKIP))
        while self._position < count:
            if not self.readinto(memoryview(buffer)[: count - self._position]):
                raise FileChanged(path=self._path, service=self._account.service)

    def _end(self) -> None:
        """The answer ended: is that the end of the file?"""
        self._reply = None
        if self.total is not None and self._position < self.total:
            raise ConnectionError("the answer was shorter than it said")

    def _resume(self, error: OSError) -> None:
        if self._reply is not None:
            self._reply.close()
        self._reply = None
        self._cuts += 1
        validator = _validator(self.headers)
        if (validator is None and not self._immutable) or self._cuts >= self._session.attempts:
            reason = (
                (error.strerror or str(error)) if validator or self._immutable else "it gave nothing to take it up by"
            )
            raise FileCut(path=self._path, service=self._account.service, size=self._position, reason=reason) from None
        begun = time.monotonic()
        self._session.pause(self._cuts)
        reply = self._ask(self._position, None if self._immutable else validator)
        if reply.status not in {_OK, _PARTIAL}:
            reply.drain()
            raise FileChanged(path=self._path, service=self._account.service)
        if not self._immutable and _validator(reply.headers) != validator:
            reply.close()
            raise FileChanged(path=self._path, service=self._account.service)
        self._waited += time.monotonic() - begun  # one byte for each connection is a trickle too
        self._take(reply, self._position)


def _validator(headers: Mapping[str, str]) -> str | None:
    """What `If-Range` may carry: a strong ETag, or a Last-Modified so old that it is strong (RFC 9110 §8.8.2.2)."""
    etag = headers.get("etag", "")
    if etag.startswith('"'):
        return etag
    modified, date = headers.get("last-modified"), headers.get("date")
    if modified is None or date is None:
        return None
    try:
        settled = parsedate_to_datetime(date) - parsedate_to_datetime(modified) >= timedelta(seconds=1)
    except (ValueError, TypeError, OverflowError):
        return None
    return modified if settled else None


def _content_range(text: str) -> tuple[int, int | None] | None:
    """Where a part begins and how long the whole is."""
    match = _CONTENT_RANGE.fullmatch(text.strip())
    if match is None:
        return None
    return int(match[1]), None if match[3] == "*" else int(match[3])
