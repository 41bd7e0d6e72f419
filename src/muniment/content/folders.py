"""What is to be added from this machine: a folder and what it holds, before a byte of it is read."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from muniment.content.paths import LogicalPath
from muniment.errors.archive import NotAPlainFile, SourceUnreadable
from muniment.errors.base import BadInput
from muniment.errors.content import NameNotUnicode

if TYPE_CHECKING:
    from muniment.content.exclusions import Exclusions, LeftOut

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(slots=True)
class Found:
    """What a folder holds: files with source path and size, links with target, empty folders, what is left out."""

    files: list[tuple[LogicalPath, str, int]] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def walk(folder: str, prefix: str = "", exclude: Exclusions | None = None) -> Found:
    """Everything below `folder` that is not left out, sorted, with `prefix` before each path. Links are not followed.

    A folder with nothing in it that is taken is told as empty, `folder` itself where `prefix` gives it a name.

    Raises:
        SourceUnreadable: A folder could not be listed.
        NotAPlainFile: Something in it is a pipe, a socket or a device.
        NameNotUnicode: A name is not valid UTF-8.
        BadInput: A file with patterns of what is left out cannot be read.
    """
    found = Found()
    waiting = [(folder, prefix, exclude.scopes() if exclude else ())]
    while waiting:
        place, above, scopes = waiting.pop()
        try:
            with os.scandir(place) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            raise SourceUnreadable(path=place, reason=error.strerror) from error
        if exclude is not None:
            scopes = exclude.within(scopes, place, above.removeprefix(prefix), {entry.name for entry in entries})
            entries, left_out = exclude.sift(scopes, entries, above, above.removeprefix(prefix))
            found.left_out += left_out
        if not entries and above:
            found.empty.append(above.rstrip("/"))
        for entry in entries:
            path = LogicalPath.parse(above + entry.name)
            try:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, f"{path}/", scopes))
                else:
                    _note(found, path, entry)
            except OSError as error:
                # Gone since the folder was listed, or in a folder that may be listed but not entered.
                raise SourceUnreadable(path=entry.path, reason=error.strerror) from error
    found.files.sort()
    found.left_out.sort()
    return found


def _note(found: Found, path: LogicalPath, entry: os.DirEntry[str]) -> None:
    if entry.is_symlink():
        found.links[path] = _link_target(entry.path)
    elif entry.is_file():
        found.files.append((path, entry.path, entry.stat().st_size))
    else:
        raise NotAPlainFile(path=entry.path, kind=kind_of(entry.stat().st_mode))


def _link_target(path: str) -> str:
    target = os.readlink(path)
    try:
        target.encode("utf-8")
    except UnicodeEncodeError:
        raise NameNotUnicode(name=target.encode("utf-8", "backslashreplace").decode("ascii", "replace")) from None
    return target


def kind_of(mode: int) -> str:
    """What a file that is not a regular one is, in words; nothing for a regular file."""
    return "" if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "something unknown")


def refuse_special(path: str) -> None:
    """Refuse what is neither a file nor a link to one; what is not there is found out when it is opened.

    Raises:
        NotAPlainFile: It is a pipe, a socket or a device.
    """
    try:
        kind = kind_of(os.stat(path).st_mode)
    except (OSError, ValueError):
        return
    if kind:
        raise NotAPlainFile(path=path, kind=kind)


def refuse_for_folder(path: str, digests: object, modified: object) -> None:
    """Refuse what can be said of one file only; passed over, it would prove nothing.

    Raises:
        BadInput: It was said of a folder.
    """
    if digests or modified:
        what = "digests" if digests else "a time of change"
        raise BadInput(reason=f"{path} is a folder: {what} can be given for one file only")


def own_name(source: object) -> str:
    """The name a source brings along: the last segment of its path.

    Raises:
        BadInput: It has none.
    """
    if isinstance(source, (str, os.PathLike)):
        return os.path.basename(os.fspath(source).rstrip("/"))
    name = getattr(source, "name", None)
    if isinstance(name, str) and name:
        return os.path.basename(name)
    raise BadInput(reason="bytes and streams have no name of their own; give a path for them")
