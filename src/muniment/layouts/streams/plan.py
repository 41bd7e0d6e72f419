"""Plans: an archive whose every byte has its place before the first one is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import replace
from typing import ClassVar

from muniment.content.serial_executor import WORTH_IT
from muniment.errors.delivery import RangeOutside
from muniment.layouts.streams.members import Member, etag_of, in_order
from muniment.layouts.streams.segments import CHUNK, Framing, Run, Slice, gather, read_small

SMALL = WORTH_IT
"""Bytes of a file below which it is read in one piece, with those beside it."""


class Plan(ABC):
    """An archive that is not built yet: its length, its ETag, and any range of its bytes.

    A plan keeps eight bytes for each member beside the member itself; headers are made when they are
    sent. It may be read many times and by several threads at once.
    """

    form: ClassVar[str]
    """Goes into the ETag: a new number here when the same members give other bytes than before."""
    media_type: ClassVar[str]

    def __init__(self, members: Iterable[Member]) -> None:
        """Order the members and find every one's place.

        Raises:
            UnsafePath: A name could leave the folder it is unpacked in.
            NameNotUnicode: A name cannot be written as UTF-8.
            MembersCollide: Two members have one name, or one is the folder of another.
        """
        self.members = in_order(members)
        self.etag = etag_of(self.form, self.members)
        self.modified: int | None = None
        """When the newest member changed, in seconds since 1970 UTC; None without members."""
        self._starts = array("Q")
        at = 0
        for member in self.members:
            self.modified = member.modified if self.modified is None else max(self.modified, member.modified)
            self._starts.append(at)
            at += self._head_size(member) + member.size + self._tail_size(member)
        self._end_start = at
        self.length: int = at + self._end_size()

    def segments(self, start: int = 0, stop: int | None = None) -> Iterator[Framing | Slice]:
        """What the bytes from `start` up to `stop` are made of; a file is not opened by this.

        One exception, in zip: the CRC-32 of a file that lies before the range and was never read has to
        be found by reading that file, when the iterator comes to the header that states it.

        Raises:
            RangeOutside: The range is empty backwards or leaves the archive.
        """
        stop = self.length if stop is None else stop
        self._refuse_outside(start, stop)
        return self._segments(start, stop)

    def read(
        self,
        start: int = 0,
        stop: int | None = None,
        *,
        chunk: int = CHUNK,
        prove: bool = False,
        threads: Executor | None = None,
    ) -> Iterator[bytes]:
        """The bytes from `start` up to `stop`, in pieces of about `chunk` bytes.

        Every file that is sent from its first byte to its last is checked against its digest before its
        last piece is given out. A range that begins inside a file cannot check that file as it goes.

        Args:
            start: The first byte.
            stop: The byte after the last; None for the end of the archive.
            chunk: The bytes of a piece, more or less.
            prove: Whether a file that is not sent whole is checked as well, before the last of it is given
                out: then a download resumed after a cut is as sure as one in a single piece. It costs the
                pieces of 64 MiB that the range lies in; the first time, where they are not known, the file.
            threads: What large files are digested by while the reading goes on; without it, it waits.

        Raises:
            RangeOutside: The range is empty backwards or leaves the archive; at once, not at the first piece.
            MemberDamaged: A file is not what it was promised to be. Break the transfer.
            MemberUnreadable: A file could not be opened or read. Break the transfer.
        """
        stop = self.length if stop is None else stop
        self._refuse_outside(start, stop)
        return gather(self._joined(start, stop, chunk, prove=prove), chunk, threads)

    def _refuse_outside(self, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= self.length:
            raise RangeOutside(start=start, stop=stop, length=self.length)

    def _segments(self, start: int, stop: int) -> Iterator[Framing | Slice]:
        for index in range(self._index_at(start), len(self.members)):
            if self._starts[index] >= stop:
                return
            yield from self._member_segments(index, start, stop)
        yield from self._end_segments(start, stop)

    def _index_at(self, start: int) -> int:
        return max(bisect_right(self._starts, start) - 1, 0)

    def _end_segments(self, start: int, stop: int) -> Iterator[Framing]:
        if stop > self._end_start:
            low = max(start - self._end_start, 0)
            for data in self._end(low, stop - self._end_start):
                yield Framing(data)

    def _joined(self, start: int, stop: int, chunk: int, *, prove: bool) -> Iterator[Framing | Run | Slice]:
        """As `_segments`, but small files that are wanted whole come read, and many at once."""
        index = self._index_at(start)
        while index < len(self.members) and self._starts[index] < stop:
            data, after = self._run(index, start, stop, chunk)
            if after > index:
                yield Run(data)
                index = after
                continue
            for part in self._member_segments(index, start, stop):
                yield replace(part, prove=True) if prove and isinstance(part, Slice) else part
            index += 1
        yield from self._end_segments(start, stop)

    def _run(self, index: int, start: int, stop: int, chunk: int) -> tuple[bytes, int]:
        """The small files from `index` on that lie in the range, of about `chunk` bytes; and the index after them."""
        parts: list[bytes] = []
        starts, count, begin = self._starts, len(self.members), self._starts[index]
        while index < count and starts[index] >= start:
            end = starts[index + 1] if index + 1 < count else self._end_start
            if end > stop or end - starts[index] >= SMALL:
                break
            member = self.members[index]
            data = read_small(member)
            self._noted(index, member, data)
            parts += (self._head(member), data, self._tail(index, member))
            index += 1
            if end - begin >= chunk:
                break
        return b"".join(parts), index

    def _noted(self, index: int, member: Member, data: bytes) -> None:  # noqa: B027 - a tar has nothing to note
        """Told of each small file that was read; before the bytes that follow it are made."""

    def _member_segments(self, index: int, start: int, stop: int) -> Iterator[Framing | Slice]:
        member = self.members[index]
        head = self._starts[index]
        body = head + self._head_size(member)
        tail = body + member.size
        if start < body:
            yield Framing(self._head(member)[max(start - head, 0) : stop - head])
        low, high = max(start, body), min(stop, tail)
        # An empty file is looked at as well, for it may have grown.
        if low < high or (low == high == body == tail and stop > body):
            yield self._slice(index, member, low - body, high - body)
        size = self._tail_size(member)
        if size and start < tail + size and stop > tail:
            yield Framing(self._tail(index, member)[max(start - tail, 0) : stop - tail])

    def _slice(self, index: int, member: Member, start: int, stop: int) -> Slice:  # noqa: ARG002 - a zip's
        return Slice(member, start, stop)

    @abstractmethod
    def _head_size(self, member: Member) -> int:
        """The bytes before the file, which must not depend on anything that is only known later."""

    @abstractmethod
    def _head(self, member: Member) -> bytes:
        """The header before the file."""

    @abstractmethod
    def _tail_size(self, member: Member) -> int:
        """The bytes after the file."""

    @abstractmethod
    def _tail(self, index: int, member: Member) -> bytes:
        """What follows the file of `member`, which is at `index`: making it anew from there would cost more."""

    @abstractmethod
    def _end_size(self) -> int:
        """The bytes after the last member."""

    @abstractmethod
    def _end(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes after the last member, from `start` up to `stop`, counted from their beginning."""
