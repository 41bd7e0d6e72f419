"""How a user's path is written in a bag, where BagIt's tools would read some names differently.

RFC 8493 §2.1.3 escapes CR, LF and '%' in manifests; tools in use escape less, split lines at more
characters, and strip spaces. A name they would not all read alike is therefore kept under a stand-in
name in the bag, and `metadata/files.jsonl` records the true one (docs/format.md, "Names").
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

from muniment.content import LogicalPath
from muniment.errors.content import UnsafePath

PAYLOAD = "data/"
_MARK = "=m="
LONGEST_SEGMENT = 255
"""Bytes: what the file systems in use allow one name to have."""
LONGEST_PATH = 3_000
"""Bytes of a whole stored path: Linux opens paths of up to 4,095, and the archive's own folders come before it."""

_ODD = re.compile(
    r"%"  # to be escaped in a manifest, which programs in use neither write nor read
    r"|[\x00-\x1f\x7f\x85\u2028\u2029]"  # line breaks somewhere, or not printable
    r"|\A\s|\s\Z"  # stripped when a manifest's line is read
    r"|(?:\A|\\)\.\.(?:\\|\Z)"  # leads out of the bag where '\' separates folders
)
_ASCII_ODD = re.compile(r"%|=m=|\A | \Z| /|/ |\\")
_ESCAPED = re.compile(r"[%=\\\x00-\x1f\x7f\x85\u2028\u2029\s]")
_ESCAPED_OR_NOT_ASCII = re.compile(rf"{_ESCAPED.pattern}|[^\x00-\x7f]")


def stored_path(path: str) -> str:
    """The path in the bag for a user's path: `data/` before it, odd segments replaced.

    Two paths never get the same stored path: a stand-in names its original or the digest of it, and
    a segment that looks like a stand-in is replaced too.
    """
    if len(path) <= LONGEST_SEGMENT and path.isascii() and path.isprintable() and not _ASCII_ODD.search(path):
        return PAYLOAD + path
    return PAYLOAD + "/".join(_stand_in(segment) for segment in path.split("/"))


def keepable(path: str) -> LogicalPath:
    """Accept a user's path that a package can hold.

    Raises:
        UnsafePath, NameNotUnicode: It is not one, or its stored path would be too long.
    """
    name = LogicalPath.parse(path)
    # A character is stored as sixteen bytes at most.
    if 16 * len(name) > LONGEST_PATH - 100 and (stored := len(stored_path(name).encode("utf-8"))) > LONGEST_PATH:
        raise UnsafePath(path=f"{name[:80]}…", reason=f"it has {stored} bytes, more than {LONGEST_PATH}")
    return name


def _stand_in(segment: str) -> str:
    fits = len(segment.encode("utf-8")) <= LONGEST_SEGMENT
    # Tools compare names in their composed form (NFC): of two that differ in nothing else they would see one.
    composed = unicodedata.is_normalized("NFC", segment)
    if fits and composed and not _ODD.search(segment) and not segment.startswith(_MARK):
        return segment
    escaped = _MARK + (_ESCAPED if composed else _ESCAPED_OR_NOT_ASCII).sub(_bytes_of, segment)
    if len(escaped.encode("utf-8")) <= LONGEST_SEGMENT:
        return escaped
    return f"{_MARK}={hashlib.sha256(segment.encode('utf-8')).hexdigest()}"


def _bytes_of(found: re.Match[str]) -> str:
    return "".join(f"={byte:02X}" for byte in found[0].encode("utf-8"))
