"""What lies in the parity's folders and is not parity, or is of nothing that is still here."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.root_files import RECORD
from muniment.archive.package.objects import head_of
from muniment.archive.parity.protect import needs_of
from muniment.content import FINDINGS, Finding
from muniment.content.regular import is_regular
from muniment.errors.archive import DamagedRecord, ReadFailed

_OF_FILES = re.compile(r"([0-9a-f]{64})\.(?:par2|vol[0-9]+\+[0-9]+\.par2|par2\.json)\Z")
_OF_PACKS = re.compile(r"pack(?:_[1-9][0-9]*)?\.(?:par2|vol[0-9]+\+[0-9]+\.par2|par2\.json|index|index\.copy)\Z")
_VERSION = re.compile(r"v[1-9][0-9]*\Z")
_HEX = re.compile(r"[0-9a-f]{2}\Z")


class UntrackedParity:
    """Looks through the folders of parity.

    `large` are the sha256 digests of all files that have a set of their own, as an audit found them that
    began when `since` was the log's newest event; None when some object's records could not be read, so that
    nobody can say which parity is needed.
    """

    def __init__(self, context: ArchiveContext, large: set[bytes] | None, since: int) -> None:
        self._context = context
        self._large = large
        self._since = since
        self._root = context.layout.root

    def find(self) -> Iterator[Finding]:
        """A finding for each thing that does not belong there, or that protects nothing any more.

        A purge removes things after their names were seen: what is gone by then is nothing to tell of.
        """
        return (finding for finding in self._found() if self._still_stands(finding))

    def _still_stands(self, finding: Finding) -> bool:
        path = self._root / finding.where
        return os.path.lexists(path) and not (finding.code == "M106" and is_regular(path))

    def _found(self) -> Iterator[Finding]:
        parity = self._context.layout.parity
        for name in _names(parity):
            if name not in {"files", "packs", "events", RECORD}:
                yield self._say("M105", parity / name)
        yield from self._files(parity / "files")
        yield from self._packs(parity / "packs")

    def needed(self, sha256: str) -> bool:
        """Whether some file has this content; also one that came in after the audit began."""
        key = bytes.fromhex(sha256)
        return self._large is None or key in self._large or key in self._come_since

    @cached_property
    def _come_since(self) -> set[bytes]:
        """The large files of what was ingested since: its parity comes after its event."""
        found: set[bytes] = set()
        for event in self._context.log.read(self._since):
            if event.event == "ingestion":
                root = self._context.layout.object(event.project, event.resource)
                with contextlib.suppress(FileNotFoundError, DamagedRecord, ReadFailed):
                    large = needs_of(self._context, root, event.instance).large
                    found |= {bytes.fromhex(content.digests["sha256"]) for content in large}
        return found

    def _files(self, folder: Path) -> Iterator[Finding]:
        for first in _names(folder):
            for second in _names(folder / first) if _HEX.match(first) else ():
                for name in _names(folder / first / second) if _HEX.match(second) else ():
                    yield from self._file(folder / first / second / name)
                if not _HEX.match(second):
                    yield self._say("M105", folder / first / second)
            if not _HEX.match(first):
                yield self._say("M105", folder / first)

    def _file(self, path: Path) -> Iterator[Finding]:
        match = _OF_FILES.match(path.name)
        if not match or path.parts[-3:-1] != (match[1][:2], match[1][2:4]):
            yield self._say("M105", path)
        elif not is_regular(path):
            yield self._say("M106", path, "something else")
        elif not self.needed(match[1]):
            yield self._say("M403", path)

    def _packs(self, folder: Path) -> Iterator[Finding]:
        for first in _entries(folder):
            for second in _entries(first.path) if first.is_dir() else ():
                for entry in _entries(second.path) if second.is_dir() else ():
                    root = os.path.join(self._context.layout.objects, first.name, second.name, entry.name)
                    if not entry.is_dir():
                        yield self._say("M105", Path(entry.path))
                    elif not os.path.isdir(root):
                        yield self._say("M403", Path(entry.path))
                    else:
                        yield from self._packs_of(entry, root)
                if not second.is_dir():
                    yield self._say("M105", Path(second.path))
            if not first.is_dir():
                yield self._say("M105", Path(first.path))

    def _packs_of(self, place: os.DirEntry[str], root: str) -> Iterator[Finding]:
        # What each entry is, its folder's listing tells: an archive has five of them for each instance.
        for version in _entries(place.path):
            if not _VERSION.match(version.name) or not _is_folder(f"{root}/{version.name}") or not version.is_dir():
                # A version whose folder is lost may want its parity yet: the log tells that it is missing.
                number = version.name[1:]
                beyond = not number.isdigit() or int(number) > head_of(Path(root))
                yield self._say("M105" if beyond else "M403", Path(version.path))
                continue
            for entry in _entries(version.path):
                if not _OF_PACKS.match(entry.name):
                    yield self._say("M105", Path(entry.path))
                elif not entry.is_file(follow_symlinks=False):
                    yield self._say("M106", Path(entry.path), "something else")

    def _say(self, code: str, path: Path, found: str = "") -> Finding:
        return Finding(FINDINGS[code], str(path.relative_to(self._root)), "", found)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _entries(folder: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _is_folder(place: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(place).st_mode)
    except OSError:
        return False
