"""Unpack a package into an empty folder, after looking through all of it; what does not belong is set aside."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

from muniment.content import Finding, Progress, quiet
from muniment.content.trees import make_folders
from muniment.errors.archive import DiskFull, WriteFailed
from muniment.validation.bagit.reading import listed_paths
from muniment.validation.findings import counted, say
from muniment.validation.ocfl.inventory import NAME as INVENTORY
from muniment.validation.ocfl.inventory import read_inventory
from muniment.validation.packed.forms import TROUBLE, ZIP, form_of, trouble_of, why_none
from muniment.validation.packed.members import FILE, FOLDER, HARD_LINK, LINK, Member, Members, NotReadable, Readable
from muniment.validation.packed.screening import APPLE_DOUBLE, MAC_FOLDER, Screen, is_of_macos, linked_path, plain_name
from muniment.validation.packed.tar import TarMembers
from muniment.validation.packed.zip import ZipMembers

_CHUNK = 1 << 20
_APPLE_MAGIC = b"\x00\x05\x16\x07"
_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(slots=True)
class Unpacked:
    """What came of it: the package's folder, or '' where a finding says why there is none."""

    folder: str = ""
    media_type: str = ""
    findings: list[Finding] = field(default_factory=list)


def unpack_package(path: str, target: str, progress: Progress = quiet, *, name: str = "") -> Unpacked:
    """Unpack the tar or zip at `path` into the empty folder `target`, unless something in it could do harm.

    Accepted are files, folders, hard links to earlier members (copies of them) and symbolic links that stay
    inside. Set aside with a warning are the leftovers of macOS: `__MACOSX`, and AppleDouble files that no
    manifest lists. Nothing is written before every header was read, and nothing outside `target`. Findings call
    the package `name`, by default as its file.

    Raises:
        DiskFull, WriteFailed: `target` could not be written.
    """
    done = Unpacked()
    name = name or os.path.basename(path)
    try:
        done.media_type = form_of(path)
        if not done.media_type:
            done.findings.append(say("B052", name, found=why_none(path)))
            return done
        members: Members = ZipMembers(path) if done.media_type == ZIP else TarMembers(path, name, done.media_type)
        # What is free, less a tenth.
        screen = Screen(name, shutil.disk_usage(target).free * 9 // 10)
        whole = screen.look_through(member for member, _ in members.each())
        done.findings += [*screen.findings, *members.trouble]
        if not whole or any(finding.failed for finding in done.findings):
            return done
        written = _Written(target, screen)
        for count, (member, content) in enumerate(members.each(), 1):
            written.take(member, content)
            progress("unpacking", count, screen.count)
        written.make_links()
        done.findings += written.settle()
        done.folder = os.path.join(target, screen.top)
    except (DiskFull, WriteFailed):
        raise
    except TROUBLE as error:
        done.findings.append(say("B052", name, found=trouble_of(error)))
    return done


class _Written:
    """What lies in the folder so far."""

    def __init__(self, target: str, screen: Screen) -> None:
        self._target = target
        self._screen = screen
        self._other_names: dict[str, str] = {}
        self._of_macos = 0

    def take(self, member: Member, content: Readable | None) -> None:
        path = plain_name(member)
        if is_of_macos(path):
            self._of_macos += 1
            return
        place = os.path.join(self._target, path)
        if member.other_name:
            self._other_names[path] = member.other_name
        with _writing(place):
            if member.kind == FOLDER:
                make_folders(place)
                return
            make_folders(os.path.dirname(place))
        if member.kind == FILE and content is not None:
            _write(place, _Named(content, member.name))
        elif member.kind == HARD_LINK:
            with open(os.path.join(self._target, linked_path(member)), "rb") as file:
                _write(place, file)
        if member.kind != LINK and member.modified is not None:
            with contextlib.suppress(OSError, OverflowError, ValueError):
                os.utime(place, (member.modified, member.modified))

    def make_links(self) -> None:
        """Last, so that nothing was written through one."""
        for path, target in self._screen.links.items():
            place = os.path.join(self._target, path)
            with _writing(place):
                os.symlink(target, place)

    def settle(self) -> Iterator[Finding]:
        """Give names that can be read two ways the one a manifest has, and set aside what macOS left."""
        doubles = [path for path in self._screen.sizes if self._is_apple_double(path)]
        listed = self._listed() if doubles or self._other_names else set()
        for path, other in self._other_names.items():
            used = path
            if path not in listed and other in listed:
                self._rename(path, other)
                used = other
            yield say("B516", path, found="UTF-8" if used == path else "cp437")
        aside = [path for path in doubles if path not in listed]
        for path in aside:
            with _writing(path):
                os.unlink(os.path.join(self._target, path))
        if aside:
            more = f" and {counted(len(aside) - 1, 'further one')}" if len(aside) > 1 else ""
            yield say("B515", min(aside), found=f"an AppleDouble file, which macOS adds to what it packs{more}")
        if self._of_macos:
            yield say("B515", f"{MAC_FOLDER}/", found=f"{counted(self._of_macos, 'member')} that Finder added")

    def _listed(self) -> set[str]:
        """Every path that the package's own records list: a bag's manifests, the inventories of OCFL objects."""
        top = self._screen.top
        listed = {f"{top}/{path}".lstrip("/") for path in listed_paths(os.path.join(self._target, top))}
        for path in self._screen.sizes:
            above, _, name = path.rpartition("/")
            if name == INVENTORY:
                inventory, _ = read_inventory(os.path.join(self._target, above), INVENTORY, spec=None, is_root=True)
                listed.update(f"{above}/{content}" for content in (inventory.content_paths if inventory else ()))
        return listed

    def _is_apple_double(self, path: str) -> bool:
        above, _, name = path.rpartition("/")
        beside = f"{above}/{name[2:]}" if above else name[2:]
        known = beside in self._screen.sizes or beside in self._screen.folders
        # `tar` of macOS writes './._.' for the folder it packs, too.
        if not name.startswith(APPLE_DOUBLE) or not (known or name == "._."):
            return False
        with open(os.path.join(self._target, path), "rb") as file:
            return file.read(4) == _APPLE_MAGIC

    def _rename(self, path: str, other: str) -> None:
        place = os.path.join(self._target, other)
        with _writing(place):
            if os.path.lexists(place):
                return
            make_folders(os.path.dirname(place))
            os.rename(os.path.join(self._target, path), place)


class _Named:
    """A member's bytes; what goes wrong with them names it."""

    def __init__(self, content: Readable, name: str) -> None:
        self._content, self._name = content, name

    def read(self, size: int, /) -> bytes:
        try:
            return self._content.read(size)
        except TROUBLE as error:
            message = f"{self._name!r} cannot be read: {trouble_of(error)}"
            raise NotReadable(message) from error


def _write(place: str, content: Readable) -> None:
    with _writing(place):
        file = open(place, "xb", buffering=0)  # noqa: SIM115 - so that trouble in reading is not trouble in writing
    with file:
        while piece := content.read(_CHUNK):
            with _writing(place):
                view = memoryview(piece)
                while view:
                    view = view[file.write(view) :]


@contextlib.contextmanager
def _writing(place: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(path=place) from error
        if error.errno in {errno.ENAMETOOLONG, errno.EEXIST, errno.EINVAL, errno.EILSEQ, errno.ENOTDIR}:
            raise  # a name this system cannot hold is the package's matter
        raise WriteFailed(path=place, reason=error.strerror or str(error)) from error
