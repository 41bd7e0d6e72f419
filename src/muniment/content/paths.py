"""Logical paths: the names of files inside a package, safe to join below any root."""

from __future__ import annotations

import os
from typing import Self

from muniment.errors.content import NameNotUnicode, UnsafePath

LONGEST_PATH = 4_096
"""Bytes of UTF-8 in a path that somebody wants to add: what Linux takes of one (PATH_MAX)."""
LONGEST_SEGMENT = 255
"""Bytes of UTF-8 in one name: what file systems take (NAME_MAX)."""


class LogicalPath(str):
    """A relative path with '/' between its segments, kept byte for byte as it was given.

    Any Unicode text is allowed except what could leave the package or not be a file name at all:
    an empty path or segment, '.', '..', a leading or trailing '/', NUL, and lone surrogates.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, raw: str | os.PathLike[str]) -> Self:
        """Accept `raw` unchanged, or refuse it.

        Raises:
            UnsafePath: The path is empty, absolute, climbs, or holds NUL.
            NameNotUnicode: The path holds bytes that are not UTF-8.
        """
        path = os.fspath(raw) if isinstance(raw, os.PathLike) else raw
        if isinstance(path, cls):
            return path
        if not isinstance(path, str):
            raise UnsafePath(path=path, reason="it is not text")
        _refuse_unencodable(path)
        for fault, reason in (
            (not path, "it is empty"),
            ("\0" in path, "it holds a NUL character"),
            (path.startswith("/"), "it is absolute"),
            (path.endswith("/"), "it ends in '/'"),
        ):
            if fault:
                raise UnsafePath(path=path, reason=reason)
        for segment in path.split("/"):
            if segment in {"", ".", ".."}:
                raise UnsafePath(path=path, reason=f"it holds the segment {segment!r}")
        return cls(path)

    def refuse_too_long(self) -> None:
        """Refuse a path that could be unpacked nowhere: over 4,096 bytes, or over 255 in one segment.

        Raises:
            UnsafePath: It is so.
        """
        size = len(self.encode("utf-8"))
        if size > LONGEST_PATH:
            raise UnsafePath(path=f"{self:.100}…", reason=f"it has {size} bytes, more than {LONGEST_PATH}")
        if size <= LONGEST_SEGMENT:
            return
        longest = max((len(segment.encode("utf-8")) for segment in self.split("/")), default=0)
        if longest > LONGEST_SEGMENT:
            reason = f"a name in it has {longest} bytes, more than {LONGEST_SEGMENT}"
            raise UnsafePath(path=f"{self:.100}…", reason=reason)

    @property
    def name(self) -> str:
        """The last segment."""
        return self.rpartition("/")[2]

    def parents(self) -> list[str]:
        """Every folder above this path, the outermost first: 'a/b/c' has 'a' and 'a/b'."""
        segments = self.split("/")
        return ["/".join(segments[:count]) for count in range(1, len(segments))]


def _refuse_unencodable(path: str) -> None:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise NameNotUnicode(name=path.encode("utf-8", "backslashreplace").decode("ascii", "replace")) from None
