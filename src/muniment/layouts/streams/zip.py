"""Zip: files stored as they are, so that length and every byte range are known beforehand.

The format is PKWARE's APPNOTE 6.3.10. Decisions: method 0 (stored), UTF-8 names, Unix mode 0644, times in
UTC with the extended timestamp beside the DOS one, zip64 fields only where a number does not fit.

**The CRC-32** of a file is not known before the file has been read, so it follows the file in a data
descriptor (APPNOTE 4.3.9) and stands in the central directory at the end. The form never depends on
whether a CRC happens to be known: if it did, a second request could meet another length than the first
and a resumed download would break. When a range needs the CRC of a file outside it, it is taken, in this
order, from `Member.crc32`, from what this plan has seen, from the `crcs` given (any mapping, keyed by the
digest as 'sha256:…', kept by the caller over plans and restarts), and last by reading the file, which
checks its digest too. So a range that begins late costs one reading of what lies before, once.

What the form costs: readers that unpack a zip while it arrives, without seeing its end, cannot do it with
stored files behind descriptors (Java's ZipInputStream refuses; bsdtar can). They need tar.
"""

from __future__ import annotations

import struct
import time
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, MutableMapping
from functools import lru_cache, partial

from muniment.layouts.streams.members import Member
from muniment.layouts.streams.plan import Plan
from muniment.layouts.streams.segments import CHUNK, Slice, refuse_other_crc

_FULL_32 = 0xFFFFFFFF
_FULL_16 = 0xFFFF
_FLAGS = 0x0808
"""Bit 3: sizes and CRC follow the file. Bit 11: the name is UTF-8 (APPNOTE 4.4.4)."""
_PLAIN, _ZIP64 = 20, 45
_UNIX = 3 << 8
_MODE = 0o100644 << 16
_DOS_FIRST, _DOS_LAST = 315532800, 4354819198
"""1980-01-01 and 2107-12-31T23:59:58 in seconds since 1970: what a DOS time can say."""

_LOCAL = struct.Struct("<4s5H3I2H")
_DESCRIPTOR = struct.Struct("<4sIII")
_DESCRIPTOR_64 = struct.Struct("<4sIQQ")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR_64 = struct.Struct("<4sIQI")
_END = struct.Struct("<4s4H2IH")
_STAMP = struct.Struct("<2HBi")
_EXTRA_64 = struct.Struct("<2H2Q")


class ZipPlan(Plan):
    """A zip archive of exact length, made while it is sent."""

    form = "zip 1"
    media_type = "application/zip"

    def __init__(self, members: Iterable[Member], crcs: MutableMapping[str, int] | None = None) -> None:
        """Find every member's place.

        Args:
            members: The files.
            crcs: CRC-32 by digest ('sha256:…'), added to; must bear several threads. What is in it of the files is
                read at once, and need not stay in it.

        Raises:
            UnsafePath: A name could leave the folder it is unpacked in.
            NameNotUnicode: A name cannot be written as UTF-8.
            MembersCollide: Two members have one name, or one is the folder of another.
            ValueError: A name has more than 65,535 bytes, which zip cannot say.
        """
        self._shared = {} if crcs is None else crcs
        super().__init__(members)
        # -1 is "not known": an array, as a dictionary would cost a hundred bytes for each member.
        self._crcs = array("q", [-1]) * len(self.members)
        if self._shared:
            for index, member in enumerate(self.members):
                proof = member.proof()
                self._crcs[index] = -1 if proof is None else self._shared.get(":".join(proof), -1)

    def _raw_name(self, member: Member) -> bytes:
        return _name(member)

    def _head_size(self, member: Member) -> int:
        size = _LOCAL.size + len(self._raw_name(member)) + _stamp_size(member)
        return size + (_EXTRA_64.size if member.size >= _FULL_32 else 0)

    def _head(self, member: Member) -> bytes:
        name, extra = self._raw_name(member), _stamp(member)
        version, size = _PLAIN, 0
        if member.size >= _FULL_32:
            # The masks and this field tell the reader that the descriptor has eight-byte sizes.
            version, size = _ZIP64, _FULL_32
            extra = _EXTRA_64.pack(1, 16, 0, 0) + extra
        clock, day = _dos_time(member.modified)
        return (
            _LOCAL.pack(b"PK\3\4", version, _FLAGS, 0, clock, day, 0, size, size, len(name), len(extra)) + name + extra
        )

    def _tail_size(self, member: Member) -> int:
        return _DESCRIPTOR_64.size if member.size >= _FULL_32 else _DESCRIPTOR.size

    def _tail(self, index: int, member: Member) -> bytes:
        form = _DESCRIPTOR_64 if member.size >= _FULL_32 else _DESCRIPTOR
        return form.pack(b"PK\7\x08", self._crc(index, member), member.size, member.size)

    def _slice(self, index: int, member: Member, start: int, stop: int) -> Slice:
        return Slice(member, start, stop, partial(self._learn, index, member), self._known_crc(index, member))

    def _learn(self, index: int, member: Member, crc: int) -> None:
        if self._crcs[index] == crc:
            return
        self._crcs[index] = crc
        proof = member.proof()
        if proof is not None:
            self._shared[":".join(proof)] = crc

    def _noted(self, index: int, member: Member, data: bytes) -> None:
        crc, known = zlib.crc32(data), self._known_crc(index, member)
        refuse_other_crc(member, crc, known)
        if known is None or self._crcs[index] < 0:
            self._learn(index, member, crc)

    def _known_crc(self, index: int, member: Member) -> int | None:
        if member.crc32 is not None:
            return member.crc32
        if self._crcs[index] >= 0:
            return self._crcs[index]
        proof = member.proof()
        return None if proof is None else self._shared.get(":".join(proof))

    def _crc(self, index: int, member: Member) -> int:
        known = self._known_crc(index, member)
        if known is None:
            for _ in self._slice(index, member, 0, member.size).pieces(4 * CHUNK):
                pass
            known = self._crcs[index]
        return known

    def _end_size(self) -> int:
        self._central = array("Q")
        at = 0
        for index in range(len(self.members)):
            self._central.append(at)
            at += self._entry_size(index, self.members[index])
        self._directory_size = at
        return at + len(self._last_records())

    def _end(self, start: int, stop: int) -> Iterator[bytes]:
        for index in range(max(bisect_right(self._central, start) - 1, 0), len(self.members)):
            at = self._central[index]
            if at >= stop:
                return
            after = self._central[index + 1] if index + 1 < len(self.members) else self._directory_size
            if start < after:
                yield self._entry(index, self.members[index])[max(start - at, 0) : stop - at]
        if stop > self._directory_size:
            low = max(start - self._directory_size, 0)
            yield self._last_records()[low : stop - self._directory_size]

    def _big_numbers(self, index: int, size: int) -> list[int]:
        """The numbers of a member that need zip64, in the order APPNOTE 4.5.3 gives."""
        offset = self._starts[index]
        if size < _FULL_32 and offset < _FULL_32:
            return []
        return [number for number in (size, size, offset) if number >= _FULL_32]

    def _entry_size(self, index: int, member: Member) -> int:
        big = len(self._big_numbers(index, member.size))
        return _CENTRAL.size + len(self._raw_name(member)) + _stamp_size(member) + (4 + 8 * big if big else 0)

    def _entry(self, index: int, member: Member) -> bytes:
        big = self._big_numbers(index, member.size)
        name, extra = self._raw_name(member), _stamp(member)
        if big:
            extra = struct.pack(f"<2H{len(big)}Q", 1, 8 * len(big), *big) + extra
        version = _ZIP64 if big else _PLAIN
        clock, day = _dos_time(member.modified)
        size, offset = min(member.size, _FULL_32), min(self._starts[index], _FULL_32)
        places = (len(name), len(extra), 0, 0, 0, _MODE, offset)
        numbers = (0, clock, day, self._crc(index, member), size, size, *places)
        return _CENTRAL.pack(b"PK\1\2", _UNIX | version, version, _FLAGS, *numbers) + name + extra

    def _last_records(self) -> bytes:
        count, size, offset = len(self.members), self._directory_size, self._end_start
        short = min(count, _FULL_16)
        end = _END.pack(b"PK\5\6", 0, 0, short, short, min(size, _FULL_32), min(offset, _FULL_32), 0)
        if count < _FULL_16 and size < _FULL_32 and offset < _FULL_32:
            return end
        numbers = (_END_64.size - 12, _UNIX | _ZIP64, _ZIP64, 0, 0, count, count, size, offset)
        return _END_64.pack(b"PK\6\6", *numbers) + _LOCATOR_64.pack(b"PK\6\7", 0, offset + size, 1) + end


def _name(member: Member) -> bytes:
    raw = member.name.encode()
    if len(raw) > _FULL_16:
        message = f"a name of {len(raw)} bytes does not fit into a zip archive: {member.name[:80]}…"
        raise ValueError(message)
    return raw


def _fits_stamp(member: Member) -> bool:
    return -(2**31) <= member.modified < 2**31


def _stamp_size(member: Member) -> int:
    return _STAMP.size if _fits_stamp(member) else 0


def _stamp(member: Member) -> bytes:
    """The extended timestamp, which is in UTC; a DOS time has no zone."""
    return _STAMP.pack(0x5455, 5, 1, member.modified) if _fits_stamp(member) else b""


@lru_cache(256)
def _dos_time(seconds: int) -> tuple[int, int]:
    moment = time.gmtime(min(max(seconds, _DOS_FIRST), _DOS_LAST))
    clock = moment.tm_hour << 11 | moment.tm_min << 5 | moment.tm_sec // 2
    return clock, (moment.tm_year - 1980) << 9 | moment.tm_mon << 5 | moment.tm_mday
