"""A source whose files are no larger than a limit: a source again, around any other."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO, cast

from muniment.errors.sources import FileTooLarge
from muniment.sources.protocol import Failure, Item, Page, Source, SourceEntry

TOO_LARGE = "File is too large."


class Limited:
    """Lists files over `limit` bytes as failures, and breaks off those that turn out larger than announced.

    The limit is for what the service holds. A description that the source makes of it comes however long it is.
    """

    def __init__(self, source: Source, limit: int) -> None:
        self._source = source
        self._limit = limit

    @property
    def service(self) -> str:
        """As the source within."""
        return self._source.service

    @property
    def resource(self) -> str:
        """As the source within."""
        return self._source.resource

    def pages(self, after: str | None = None) -> Iterator[Page]:
        """As the source within."""
        return self._source.pages(after)

    def entries(self, item: Item) -> Iterator[SourceEntry | Failure]:
        """As the source within, with a failure in place of each file that is too large."""
        for entry in self._source.entries(item):
            if isinstance(entry, SourceEntry) and entry.size is not None and entry.size > self._limit:
                yield Failure(file=entry.path, reason=TOO_LARGE, service=self.service)
            else:
                yield entry

    def open(self, item: Item, entry: SourceEntry, offset: int = 0) -> BinaryIO:
        """As the source within.

        Raises:
            FileTooLarge: From reading: more than the limit came.
        """
        stream = self._source.open(item, entry, offset)
        if entry.made:
            return stream
        return cast("BinaryIO", Bounded(stream, entry.path, self._limit - offset))


class Bounded(io.RawIOBase):
    """A stream that may give no more than `room` bytes."""

    def __init__(self, stream: BinaryIO, path: str, room: int) -> None:
        super().__init__()
        self._stream = stream
        self._path = path
        self._room = room

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer comes with 3.12
        """Read on.

        Raises:
            FileTooLarge: More came than may.
        """
        count = self._stream.readinto(buffer)  # type: ignore[attr-defined]  # every stream of a source is an io object
        self._room -= count
        if self._room < 0:
            raise FileTooLarge(path=self._path)
        return int(count)

    def close(self) -> None:
        """Close the stream within too."""
        self._stream.close()
        super().close()
