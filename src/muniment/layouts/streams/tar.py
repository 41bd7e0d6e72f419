"""Tar: ustar headers made by hand, with a PAX header only where ustar cannot say it.

The format is POSIX.1-2008 pax/ustar. Decisions: regular files alone, mode 0644, owner and group 0 with
empty names, whole seconds, and two zero blocks at the end. The archive is padded to 512 bytes, not to the
10,240 of a tape: the standard leaves the record size to the writer of a file, and every reader we
test against takes it.
"""

from __future__ import annotations

from collections.abc import Iterator

from muniment.layouts.streams.members import Member
from muniment.layouts.streams.plan import Plan

BLOCK = 512
_NAME = 100
_PREFIX = 155
_MAX_SIZE = 8**11
"""A ustar size has eleven octal digits; from 8 GiB on it goes into a PAX record."""
_MAX_TIME = 8**11 - 1

_ZEROS = bytes(BLOCK)
_OWNER = b"0000644\0" + b"0000000\0" * 2
_DEVICES = b"ustar\x0000" + bytes(64) + b"0000000\0" * 2
# The checksum counts its own field as eight spaces; all fields that never change are summed once.
_CONSTANT_SUM = sum(_OWNER) + sum(_DEVICES) + 8 * 0x20


class TarPlan(Plan):
    """A tar archive of exact length, made while it is sent."""

    form = "tar 1"
    media_type = "application/x-tar"

    def _head_size(self, member: Member) -> int:
        if member.size < _MAX_SIZE and len(member.name) <= _NAME and member.name.isascii():
            return BLOCK
        records = _pax_records(member)
        return BLOCK + (BLOCK + _padded(len(records)) if records else 0)

    def _head(self, member: Member) -> bytes:
        modified = min(max(member.modified, 0), _MAX_TIME)
        if member.size < _MAX_SIZE and len(member.name) <= _NAME and member.name.isascii():
            return _header(b"", member.name.encode(), member.size, modified, b"0")
        records = _pax_records(member)
        if not records:
            prefix, name = _split(member.name) or (b"", b"")
            return _header(prefix, name, member.size, modified, b"0")
        stand_in = _ascii_tail(member.name)
        size = member.size if member.size < _MAX_SIZE else 0
        return b"".join(
            (
                _header(b"PaxHeaders", stand_in, len(records), modified, b"x"),
                records,
                _ZEROS[: -len(records) % BLOCK],
                _header(b"", stand_in, size, modified, b"0"),
            )
        )

    def _tail_size(self, member: Member) -> int:
        return -member.size % BLOCK

    def _tail(self, index: int, member: Member) -> bytes:  # noqa: ARG002 - a zip asks by it
        return _ZEROS[: -member.size % BLOCK]

    def _end_size(self) -> int:
        return 2 * BLOCK

    def _end(self, start: int, stop: int) -> Iterator[bytes]:
        yield bytes(stop - start)


def _padded(size: int) -> int:
    return size + -size % BLOCK


def _split(name: str) -> tuple[bytes, bytes] | None:
    """The name as ustar's prefix and name, cut at a '/'; None where ustar cannot carry it."""
    if not name.isascii():
        return None
    raw = name.encode()
    if len(raw) <= _NAME:
        return b"", raw
    # The last cut whose prefix still fits leaves the shortest name; if that is too long, none will do.
    cut = raw.rfind(b"/", 0, _PREFIX + 1)
    if cut < 1 or len(raw) - cut - 1 > _NAME:
        return None
    return raw[:cut], raw[cut + 1 :]


def _pax_records(member: Member) -> bytes:
    """The PAX records the member needs: none, for nearly all."""
    records = b""
    if _split(member.name) is None:
        records += _record(b"path", member.name.encode())
    if member.size >= _MAX_SIZE:
        records += _record(b"size", b"%d" % member.size)
    return records


def _record(key: bytes, value: bytes) -> bytes:
    """One record, '<length> <key>=<value>' and a newline, where the length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _ascii_tail(name: str) -> bytes:
    """A name for readers that know no PAX: the last segment, ASCII, cut to fit, and never '..' or empty."""
    raw = name.rpartition("/")[2].encode("ascii", "replace")[-_NAME:].replace(b"?", b"_")
    return raw if raw.strip(b".") else b"_"


def _header(prefix: bytes, name: bytes, size: int, modified: int, kind: bytes) -> bytes:
    numbers = b"%011o\0%011o\0" % (size, modified)
    checksum = _CONSTANT_SUM + sum(name) + sum(prefix) + sum(numbers) + kind[0]
    return b"".join(
        (
            name.ljust(_NAME, b"\0"),
            _OWNER,
            numbers,
            b"%06o\0 " % checksum,
            kind,
            bytes(100),
            _DEVICES,
            prefix.ljust(_PREFIX + 12, b"\0"),
        )
    )
