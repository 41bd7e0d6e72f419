"""Sending files to a transaction: the small ones many at once, the large ones in pieces that survive a cut."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from muniment.content import Entry, Hashers
from muniment.errors.archive import SourceChanged, SourceUnreadable
from muniment.errors.remote import UploadBusy, UploadNotFound, WrongUploadOffset
from muniment.remote.connection import LONG, Broken, Server, cut, pause
from muniment.remote.records import entry_of

PIECE = 1 << 20
SMALL = 256 << 10
"""Files up to this size go many in one request."""

_BATCH = 8 << 20
_MOST = 500
_ATTEMPTS = 8
BATCH_TYPE = "application/vnd.muniment.files"


@dataclass(slots=True)
class UploadRequest:
    """What is said of a file that is sent."""

    path: str
    digests: Mapping[str, str] = field(default_factory=dict)
    modified: str | None = None
    replace: bool = False

    def as_json(self, size: int | None) -> dict[str, object]:
        """As the server takes it."""
        return {
            "path": self.path,
            "size": size,
            "digests": dict(self.digests),
            "modified": self.modified,
            "replace": self.replace,
        }


class Bytes(Protocol):
    """Something that is sent, and can be sent again from where a cut left it."""

    @property
    def size(self) -> int | None:
        """How many bytes it has, where that is known."""

    def pieces(self, offset: int) -> Iterator[tuple[int | None, Iterable[bytes]]]:
        """Runs of bytes from `offset` on, each with its length: one run is one request."""

    def digest(self) -> str:
        """The sha256 of everything that was sent."""

    def done(self) -> None:
        """Everything was sent.

        Raises:
            SourceChanged: What was sent is not what is there now.
        """


class FileBytes:
    """A file on this machine."""

    def __init__(self, path: str) -> None:
        """Open it.

        Raises:
            SourceUnreadable: It cannot be read.
        """
        self._path = path
        try:
            self._file = open(path, "rb", buffering=0)  # noqa: PTH123, SIM115 - closed by `close`
            self._before = os.fstat(self._file.fileno())
        except OSError as error:
            raise SourceUnreadable(path=path, reason=error.strerror) from error
        self._hashers = Hashers(["sha256"])

    @property
    def size(self) -> int | None:
        """How many bytes it has."""
        return self._before.st_size

    @property
    def changed_at(self) -> int:
        """When it was changed last, in nanoseconds since 1970."""
        return self._before.st_mtime_ns

    def pieces(self, offset: int) -> Iterator[tuple[int | None, Iterable[bytes]]]:
        """The rest of the file, in one run."""
        if offset < self._before.st_size:
            yield self._before.st_size - offset, self._read(offset)

    def digest(self) -> str:
        """The sha256 of what was read."""
        return self._hashers.values()["sha256"]

    def done(self) -> None:
        """Look whether the file is still as it was.

        Raises:
            SourceChanged: It is not.
        """
        now = os.fstat(self._file.fileno())
        if (now.st_size, now.st_mtime_ns) != (self._before.st_size, self._before.st_mtime_ns):
            raise SourceChanged(path=self._path)

    def close(self) -> None:
        """Let go of it."""
        self._file.close()

    def _read(self, offset: int) -> Iterator[bytes]:
        self._file.seek(offset)
        position = offset
        while position < self._before.st_size:
            try:
                piece = self._file.read(min(PIECE, self._before.st_size - position))
            except OSError as error:
                raise SourceUnreadable(path=self._path, reason=error.strerror) from error
            if not piece:
                raise SourceChanged(path=self._path)
            # After a cut the first bytes come once more; they were digested before.
            fresh = position + len(piece) - self._hashers.size
            if fresh > 0:
                self._hashers.update(piece[-fresh:])
            position += len(piece)
            yield piece


class StreamBytes:
    """Something that can be read only once: each run is kept until the server has it."""

    size = None

    def __init__(self, first: bytes, rest: Iterator[bytes]) -> None:
        self._rest = rest
        self._kept = first
        self._at = 0
        self._hashers = Hashers(["sha256"])
        self._hashers.update(first)

    def pieces(self, offset: int) -> Iterator[tuple[int | None, Iterable[bytes]]]:
        """What the server does not have of the run before, then further runs."""
        if offset < self._at + len(self._kept):
            run = self._kept[offset - self._at :]
            yield len(run), (run,)
        while run := _gathered(self._rest, _BATCH):
            self._at += len(self._kept)
            self._kept = run
            self._hashers.update(run)
            yield len(run), (run,)

    def digest(self) -> str:
        """The sha256 of what was read."""
        return self._hashers.values()["sha256"]

    def done(self) -> None:
        """A stream cannot change behind us."""


def chunks_of(source: bytes | bytearray | BinaryIO | Iterable[bytes]) -> Iterator[bytes]:
    """What a source gives, whatever it is."""
    if isinstance(source, bytes | bytearray):
        yield bytes(source)
        return
    read = getattr(source, "read", None)
    if read is None:
        for chunk in source:
            yield bytes(chunk)
        return
    while chunk := read(PIECE):
        yield chunk


def send_stream(server: Server, place: str, request: UploadRequest, source: Any) -> Entry:
    """Send what can be read only once.

    Raises:
        MunimentError: What the server says, or that it cannot be reached.
    """
    chunks = chunks_of(source)
    first = _gathered(chunks, PIECE)
    if len(first) < PIECE:
        return send_small(server, place, [(request, first)])[0]
    return send_large(server, place, request, StreamBytes(first, chunks))


def send_small(server: Server, place: str, files: list[tuple[UploadRequest, bytes]]) -> list[Entry]:
    """Send small files in one request; all of them count, or none.

    Raises:
        MunimentError: What the server says, or that it cannot be reached.
    """
    index = []
    for request, data in files:
        hashers = Hashers(["sha256"])
        hashers.update(data)
        index.append({**request.as_json(len(data)), "digests": {**hashers.values(), **request.digests}})
    body = b"".join([json.dumps(index).encode("utf-8"), b"\n", *(data for _, data in files)])
    headers = {"Content-Type": BATCH_TYPE}
    # Sent once more after a cut, what the server has by then is passed over.
    query: dict[str, str | None] = {"again": None}

    def work() -> list[Entry]:
        asked, query["again"] = dict(query), "true"
        connection, answer = server.open("POST", f"{place}/files", asked, headers=headers, body=body)
        data = answer.read()
        server.give_back(connection, answer)
        return [entry_of(record) for record in json.loads(data)["files"]]

    return server.retry(work)


def send_large(server: Server, place: str, request: UploadRequest, source: Bytes) -> Entry:
    """Send a large file in pieces, going on after a cut where the server stands.

    Raises:
        TransferCut: It was cut too often without getting on.
        MunimentError: What the server says, or that it cannot be reached.
    """
    given = request.as_json(source.size)
    begun = server.ask("POST", f"{place}/uploads", given=given).json()
    upload = f"{place}/uploads/{begun['upload']}"
    _send_pieces(server, upload, request.path, source)
    source.done()
    digests = {"sha256": source.digest(), **request.digests}

    try:
        return entry_of(server.ask("POST", upload, given={"digests": digests}, patience=LONG).json())
    except UploadNotFound:
        # Finished already, by an asking whose answer was lost.
        found = server.ask("GET", f"{place}/files", {"path": request.path}).json()["files"]
        if found and found[0]["digests"].get("sha256") == digests["sha256"]:
            return entry_of(found[0])
        raise


def _send_pieces(server: Server, upload: str, path: str, source: Bytes) -> None:
    offset, attempt = 0, 0
    while True:
        try:
            for size, run in source.pieces(offset):
                headers = {"Upload-Offset": str(offset), "Content-Type": "application/octet-stream"}
                if size is not None:
                    headers["Content-Length"] = str(size)
                connection, answer = server.open("PATCH", upload, headers=headers, body=run)
                answer.read()
                server.give_back(connection, answer)
                offset, attempt = int(answer.headers["Upload-Offset"]), 0
        except (*Broken, UploadBusy, WrongUploadOffset) as error:
            # The server may still be storing what the cut connection had brought, also while it is asked.
            attempt += 1
            if attempt >= _ATTEMPTS:
                raise cut(path, error) from error
            pause(attempt)
            reached = int(server.ask("GET", upload).json()["offset"])
            attempt = 0 if reached > offset else attempt
            offset = reached
        else:
            return


def batches(files: Iterable[tuple[UploadRequest, str, int]]) -> Iterator[list[tuple[UploadRequest, str, int]]]:
    """Small files in groups of a few megabytes."""
    group: list[tuple[UploadRequest, str, int]] = []
    size = 0
    for item in files:
        if group and (size + item[2] > _BATCH or len(group) >= _MOST):
            yield group
            group, size = [], 0
        group.append(item)
        size += item[2]
    if group:
        yield group


def _gathered(chunks: Iterator[bytes], most: int) -> bytes:
    """The next chunks, up to about `most` bytes."""
    found: list[bytes] = []
    size = 0
    while size < most:
        chunk = next(chunks, None)
        if chunk is None:
            break
        found.append(chunk)
        size += len(chunk)
    return b"".join(found)
