"""Segments: the pieces a streamed archive is made of, and the check of each file while it is sent."""

from __future__ import annotations

import hashlib
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from muniment.content.pieces import RangeProof, learn_pieces, pieces_of_file
from muniment.content.serial_executor import WORTH_IT, Data, SerialExecutor
from muniment.errors.content import PieceMismatch
from muniment.errors.delivery import MemberDamaged, MemberUnreadable
from muniment.layouts.streams.members import Member

CHUNK = 256 * 1024
"""Bytes per piece. Below this, hashing holds the interpreter and every piece costs more than its bytes."""


Prove = Callable[[], None]
"""Raises where a file is not what it was promised to be."""

# By name they cost three microseconds more each, which shows in archives of small files.
_HASHERS = {
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
    "sha384": hashlib.sha384,
    "sha1": hashlib.sha1,
    "md5": hashlib.md5,
}


@dataclass(frozen=True, slots=True)
class Framing:
    """Bytes that belong to the archive and to no file: headers, padding, the end."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Run:
    """Small files that follow each other, read and proven, with their headers: bytes that may be sent as they are."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Slice:
    """The bytes of `member` from `start` up to `stop`, counted from the beginning of the file.

    Whoever reads the file himself, by asynchronous reads say, feeds a `checker()` with what he read.
    Whoever lets the kernel send it (sendfile) sends it unchecked.
    """

    member: Member
    start: int
    stop: int
    learn: Callable[[int], None] | None = None
    expected_crc: int | None = None
    prove: bool = False
    """Whether a part of a file is to be checked: by the pieces it lies in, or by reading the file as a whole."""

    @property
    def whole(self) -> bool:
        """Whether this is the file from its first byte to its last, so that its digest can be checked."""
        return self.start == 0 and self.stop == self.member.size

    def checker(self, threads: Executor | None = None) -> SliceChecker:
        """Start the check of these bytes; with `threads` it is done in one of them."""
        return SliceChecker(self, threads)

    def pieces(self, chunk: int = CHUNK) -> Iterator[bytes]:
        """Read the slice in pieces of up to `chunk` bytes; the last is held back until the file is proven.

        Raises:
            MemberDamaged: The file is shorter or longer than promised, or its digest differs.
            MemberUnreadable: The system could not open or read it.
        """
        for data, prove in self.parts(chunk):
            if prove is not None:
                prove()
            if data:
                yield data

    def parts(self, chunk: int, threads: Executor | None = None) -> Iterator[tuple[bytes, Prove | None]]:
        """As `pieces`, but the last comes unproven, with what proves the file: call that before it is sent.

        Raises:
            MemberDamaged: The file is shorter than promised.
            MemberUnreadable: The system could not open or read it.
        """
        checker = self.checker(threads)
        left = self.stop - self.start
        # One byte more is asked for with the last ones: it tells a file that has grown without another call.
        more = 1 if self.stop == self.member.size else 0
        try:
            with self.member.open(self.start) as handle:
                while True:
                    wanted = min(chunk, left + more)
                    data = handle.read(wanted) if wanted else b""
                    if not data and left:
                        raise self.too_short(self.stop - left)
                    longer = len(data) > left
                    left = max(left - len(data), 0)
                    checker.update(data)
                    if not left:
                        break
                    yield data, None
                unseen = more and len(data) == wanted and not longer
                longer = longer or bool(unseen and handle.read(1))
        except OSError as trouble:
            raise _unreadable(self.member, trouble) from trouble
        yield data, partial(self._prove, checker, chunk, longer=longer)

    def _prove(self, checker: SliceChecker, chunk: int, *, longer: bool) -> None:
        checker.finish(longer=longer)
        if not self.prove or self.whole or checker.ranged:
            return
        member = self.member
        proof = member.proof()
        if proof is None or proof[0] != "sha256":
            deque(replace(self, start=0, stop=member.size).pieces(chunk), maxlen=0)
            return
        with _named(member):
            learn_pieces(member.size, proof[1], member.book, member.open)

    def too_short(self, found: int) -> MemberDamaged:
        """The error for a file that ends after `found` bytes."""
        return _too_short(self.member, found)


def read_small(member: Member) -> bytes:
    """All bytes of a small file, proven.

    Raises:
        MemberDamaged: The file is shorter or longer than promised, or its digest differs.
        MemberUnreadable: The system could not open or read it.
    """
    size = member.size
    try:
        data = member.whole()
    except OSError as trouble:
        raise _unreadable(member, trouble) from trouble
    if len(data) != size:
        raise _too_short(member, len(data)) if len(data) < size else _too_long(member)
    proof = member.proof()
    if proof is not None and (found := _HASHERS[proof[0]](data, usedforsecurity=False).hexdigest()) != proof[1]:
        raise _other_digest(member, proof[0], found, proof[1])
    return data


def refuse_other_crc(member: Member, found: int, expected: int | None) -> None:
    """Refuse a file whose CRC-32 is not the one that is known of it.

    Raises:
        MemberDamaged: It is not.
    """
    if expected not in {None, found}:
        reason = f"its CRC-32 is {found:08x}, but {expected:08x} is on record"
        raise MemberDamaged(name=member.name, reason=reason)


def _too_short(member: Member, found: int) -> MemberDamaged:
    reason = f"it ends after {found} bytes, but {member.size} were promised"
    return MemberDamaged(name=member.name, reason=reason)


def _too_long(member: Member) -> MemberDamaged:
    return MemberDamaged(name=member.name, reason=f"it goes on after the promised {member.size} bytes")


def _other_digest(member: Member, algorithm: str, found: str, expected: str) -> MemberDamaged:
    reason = f"its {algorithm} digest is {found}, but {expected} is on record"
    return MemberDamaged(name=member.name, reason=reason)


def _unreadable(member: Member, trouble: OSError) -> MemberUnreadable:
    return MemberUnreadable(name=member.name, reason=trouble.strerror or str(trouble))


class SliceChecker:
    """Checks one slice as it is read: the digest if the file is sent whole, the length in any case."""

    __slots__ = ("_crc", "_executor", "_hasher", "_range", "_seen", "_slice", "_value")

    def __init__(self, part: Slice, threads: Executor | None = None) -> None:
        """Choose what can be checked of `part`."""
        self._slice = part
        self._seen = 0
        proof = part.member.proof() if part.whole else None
        self._value = proof[1] if proof else ""
        self._hasher = _HASHERS[proof[0]](usedforsecurity=False) if proof else None
        self._range = _range_proof(part)
        counts = part.whole and (part.learn is not None or part.expected_crc is not None)
        self._crc: int | None = 0 if counts else None
        large = part.member.size >= WORTH_IT
        self._executor = SerialExecutor(self._digest, threads) if threads is not None and large else None

    @property
    def ranged(self) -> bool:
        """Whether a part of a file is proven by the pieces it lies in."""
        return self._range is not None

    def update(self, data: Data) -> None:
        """Take the next bytes of the slice. Large pieces are hashed outside the interpreter's lock."""
        self._seen += len(data)
        if self._executor is not None:
            self._executor.give(data)
        else:
            self._digest(data)

    def _digest(self, data: Data) -> None:
        if self._hasher is not None:
            self._hasher.update(data)
        if self._range is not None:
            with _named(self._slice.member):
                self._range.update(data)
        if self._crc is not None:
            self._crc = zlib.crc32(data, self._crc)

    def finish(self, *, longer: bool = False) -> None:
        """Judge the slice; call it before its last bytes are sent, so that damage cuts the transfer.

        Args:
            longer: Whether the file went on after its promised end.

        Raises:
            MemberDamaged: The file is shorter or longer than promised, or its digest differs.
        """
        part = self._slice
        if self._executor is not None:
            self._executor.wait()
        if self._range is not None and self._seen == part.stop - part.start:
            with _named(part.member):
                self._range.finish()
        if longer:
            raise _too_long(part.member)
        if self._seen != part.stop - part.start:
            raise part.too_short(part.start + self._seen)
        if self._hasher is not None and (found := self._hasher.hexdigest()) != self._value:
            raise _other_digest(part.member, self._hasher.name, found, self._value)
        if self._crc is None:
            return
        refuse_other_crc(part.member, self._crc, part.expected_crc)
        if part.learn is not None:
            part.learn(self._crc)


@contextmanager
def _named(member: Member) -> Iterator[None]:
    """Says of which member it is that a piece is damaged or cannot be read."""
    try:
        yield
    except PieceMismatch as trouble:
        said = trouble.details
        whole = said["start"] == 0 and said["stop"] == member.size
        where = "its sha256 digest" if whole else f"the sha256 digest of its bytes {said['start']} to {said['stop']}"
        reason = f"{where} is {said['found']}, but {said['expected']} is on record"
        raise MemberDamaged(name=member.name, reason=reason) from trouble
    except OSError as trouble:
        raise _unreadable(member, trouble) from trouble


def _range_proof(part: Slice) -> RangeProof | None:
    """What proves a part of a file while it is read, if its pieces are known."""
    member = part.member
    if not part.prove or part.whole or part.start == part.stop:
        return None
    algorithm, value = member.proof() or ("", "")
    if algorithm != "sha256":
        return None
    digests = pieces_of_file(member.size, value, member.book)
    return None if digests is None else RangeProof(member.size, digests, part.start, member.open)


def gather(
    segments: Iterable[Framing | Run | Slice], chunk: int = CHUNK, threads: Executor | None = None
) -> Iterator[bytes]:
    """The bytes of `segments` in pieces of about `chunk` bytes; small files and headers share a piece.

    With `threads` a piece is checked in one of them while the one after it is read, and given out then.

    Raises:
        MemberDamaged: As `Slice.pieces`.
        MemberUnreadable: As `Slice.pieces`.
    """
    before: _Piece | None = None
    for piece in _collected(segments, chunk, threads):
        if threads is None:
            yield piece.proven()
            continue
        if before is not None:
            yield before.proven()
        before = piece
    if before is not None:
        yield before.proven()


class _Piece:
    """What is given out at once, and the proofs that are due before."""

    __slots__ = ("data", "proofs", "size")

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.proofs: list[Prove] = []
        self.size = 0

    def proven(self) -> bytes:
        for prove in self.proofs:
            prove()
        # A full piece of a large file goes out as it is: joining would copy it once more.
        return self.data[0] if len(self.data) == 1 else b"".join(self.data)


def _collected(segments: Iterable[Framing | Run | Slice], chunk: int, threads: Executor | None) -> Iterator[_Piece]:
    piece = _Piece()
    for segment in segments:
        for data, prove in segment.parts(chunk, threads) if isinstance(segment, Slice) else ((segment.data, None),):
            piece.data.append(data)
            piece.size += len(data)
            if prove is not None and isinstance(segment, Slice) and segment.learn is not None:
                # What follows the file says what is learnt of it.
                prove()
            elif prove is not None:
                piece.proofs.append(prove)
            if piece.size >= chunk:
                yield piece
                piece = _Piece()
    if piece.size or piece.proofs:
        yield piece
