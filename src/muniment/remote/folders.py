"""What a folder on this machine holds, as paths in a package: files, links as links, and empty folders."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from muniment.content import LogicalPath
from muniment.errors.archive import NotAPlainFile, SourceUnreadable

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


@dataclass(slots=True)
class Found:
    """Files as (path, place, size), links as path to target, and the empty folders."""

    files: list[tuple[LogicalPath, str, int]] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)


def walk(root: str, prefix: str = "") -> Found:
    """Everything in a folder, sorted by name; links are not followed.

    Raises:
        SourceUnreadable: A folder cannot be read.
        NotAPlainFile: There is something that is neither a file, a folder nor a link.
        UnsafePath, NameNotUnicode: A name cannot be kept.
    """
    found = Found()
    _walk(root, prefix, found)
    return found


def _walk(folder: str, prefix: str, found: Found) -> None:
    try:
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
        for entry in inside:
            path = LogicalPath.parse(prefix + entry.name)
            if entry.is_symlink():
                found.links[path] = str(Path(entry.path).readlink())
            elif entry.is_dir(follow_symlinks=False):
                _walk(entry.path, f"{path}/", found)
            elif entry.is_file(follow_symlinks=False):
                found.files.append((path, entry.path, entry.stat(follow_symlinks=False).st_size))
            else:
                kind = _KINDS.get(stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode), "something else")
                raise NotAPlainFile(path=entry.path, kind=kind)
    except OSError as error:
        raise SourceUnreadable(path=error.filename or folder, reason=error.strerror or str(error)) from error
    if not inside and prefix:
        found.empty.append(prefix.rstrip("/"))


def time_of(nanoseconds: int) -> str:
    """A time of change in RFC 3339, to the microsecond."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
