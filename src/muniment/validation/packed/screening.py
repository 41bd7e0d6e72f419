"""Look through all members before one is written: names, kinds, sizes, what could do harm (RFC 8493 §5)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, field

from muniment.content import Finding, LogicalPath
from muniment.errors.content import NameNotUnicode, UnsafePath
from muniment.validation.bagit.paths import folded
from muniment.validation.crate import CRATE
from muniment.validation.findings import say
from muniment.validation.packed.members import FILE, FOLDER, HARD_LINK, LINK, MOST_MEMBERS, Member

MAC_FOLDER = "__MACOSX"
APPLE_DOUBLE = "._"


@dataclass(slots=True)
class Screen:
    """What the members say, and the findings about them; `name` is what the file is called in these."""

    name: str
    room: int
    """Bytes there is room for."""
    count: int = 0
    size: int = 0
    top: str = ""
    """The one folder, where there is one; '' for a crate whose root is that of its file."""
    findings: list[Finding] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    """Path of every file, hard links included, to its bytes."""
    folders: set[str] = field(default_factory=set)
    links: dict[str, str] = field(default_factory=dict)
    _folded: dict[str, str] = field(default_factory=dict)

    def look_through(self, members: Iterable[Member]) -> bool:
        """Look at every member; False when one of them is too much, and looking has ended there."""
        for member in members:
            self.count += 1
            if self.count > MOST_MEMBERS:
                self.findings.append(say("B906", self.name, f"{MOST_MEMBERS} members", "more"))
                return False
            path = self._path(member)
            if path and not is_of_macos(path):
                reason = self._note(member, path)
                if reason:
                    self._refuse(member.name, reason)
            if self.size > self.room:
                self.findings.append(say("B906", self.name, f"{self.room} bytes", "more"))
                return False
        self._look_at_whole()
        return True

    def _path(self, member: Member) -> str:
        """Where it goes, '' for the file's own folder or what was refused."""
        try:
            return plain_name(member)
        except (UnsafePath, NameNotUnicode) as error:
            self._refuse(member.name, str(error).rstrip("."))
            return ""

    def _note(self, member: Member, path: str) -> str:
        """Take in a member; why it is refused, or ''."""
        self.folders.update(LogicalPath(path).parents())
        if member.kind == FOLDER:
            self.folders.add(path)
            return ""
        if path in self.sizes or path in self.links:
            return "there are two of that name"
        if member.kind == FILE:
            size = max(member.size, 0)
        elif member.kind == HARD_LINK:
            target = linked_path(member)
            if target not in self.sizes:
                return f"it is a hard link to {member.target!r}, which is no file before it"
            size = self.sizes[target]
        elif member.kind == LINK:
            # What a link inside the package leads to is judged where the package lies unpacked.
            if not _leads_inside(path, member.target):
                return f"it is a symbolic link to {member.target!r}, outside the package"
            self.links[path] = member.target
            return ""
        else:
            return f"it is {member.kind}"
        self.size += size
        self.sizes[path] = size
        if _leads_out_elsewhere(path):
            return "its name leads out of the package where '\\' separates folders"
        other = self._folded.setdefault(folded(path), path)
        if other != path:
            found = f"differs from {other!r} only by case or normalisation"
            self.findings.append(say("M601", path, found=found))
        return ""

    def _look_at_whole(self) -> None:
        for both in sorted((self.sizes.keys() | self.links.keys()) & self.folders)[:1]:
            self._refuse(both, "it is a file and also the folder of another member")
        tops = {path.partition("/")[0] for path in (*self.folders, *self.sizes, *self.links)}
        beside = {path for path in (*self.sizes, *self.links) if "/" not in path}
        # AppleDouble files of the top folder itself, as the tar of macOS writes them, are set aside later.
        mine = {path for path in beside if path.startswith(APPLE_DOUBLE) and path[2:] in self.folders}
        tops -= mine
        beside -= mine
        if CRATE in self.sizes:
            return  # the root of an RO-Crate may be the root of its zip
        if len(tops) != 1 or beside:
            found = f"the file {min(beside)!r} beside it" if beside else str(len(tops))
            self.findings.append(say("B051", self.name, found=found))
        else:
            (self.top,) = tops
            if self.name != self.top and not self.name.startswith(f"{self.top}."):
                self.findings.append(say("B512", self.name, self.name.partition(".")[0], self.top))

    def _refuse(self, name: str, reason: str) -> None:
        self.findings.append(say("B050", self.name, reason, name))


def plain_name(member: Member) -> str:
    """The member's name without the './' some writers put before it; '' for the package's own folder.

    Raises:
        UnsafePath, NameNotUnicode: It could lead out, or is no name.
    """
    name = member.name
    while name.startswith("./"):
        name = name[2:]
    if member.kind == FOLDER:
        name = name.rstrip("/") if name != "/" else name
        if name in {"", "."}:
            return ""
    return LogicalPath.parse(name)


def is_of_macos(path: str) -> bool:
    """Whether it lies in the folder that Finder puts into every zip, beside what was meant."""
    return path == MAC_FOLDER or path.startswith(f"{MAC_FOLDER}/")


def linked_path(member: Member) -> str:
    """The earlier member that a hard link is another name of; '' when its target is no name."""
    try:
        return plain_name(Member(member.target, 0, FILE))
    except (UnsafePath, NameNotUnicode):
        return ""


def _leads_out_elsewhere(path: str) -> bool:
    if "\\" not in path:
        return False
    return not posixpath.normpath(path.replace("\\", "/")).startswith(f"{path.partition('/')[0]}/")


def _leads_inside(path: str, target: str) -> bool:
    top = path.partition("/")[0]
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    return bool(target) and not target.startswith("/") and "\0" not in target and joined.startswith(f"{top}/")
