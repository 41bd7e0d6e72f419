"""The archive's own files against their record, and tombstones against the events that tell of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.layout import TUPLE_SIZE
from muniment.archive.disk.repaired import newest_copy
from muniment.archive.disk.root_files import PLACES, RootFiles
from muniment.archive.fixity.audit.again import locked
from muniment.archive.fixity.audit.log import LoggedDigests
from muniment.content import FINDINGS, Finding
from muniment.content.events import Event
from muniment.content.folders import kind_of
from muniment.content.regular import read_regular


def check_root_files(context: ArchiveContext) -> Iterator[Finding]:
    """Findings for files of the archive's own that are not as they were when it was made."""
    root = context.layout.root
    record = RootFiles.read(root)
    expected = {place: record.as_bytes() for place in PLACES} if record else dict.fromkeys(PLACES, b"")
    for place, content in {**expected, **(record.contents if record else {})}.items():
        yield from _check(root, place, content)


def _check(root: Path, place: str, content: bytes) -> Iterator[Finding]:
    """What is wrong with one file, and whether a repaired copy stands beside it; without content it is unknown."""
    path = root / place
    right = f"sha256:{hashlib.sha256(content).hexdigest()}" if content else "the record of the archive's own files"
    wrong = _wrong_with(path, content)
    if wrong is None:
        return
    code, found = wrong
    yield Finding(FINDINGS[code], place, right, found)
    copy = newest_copy(path, root)
    if copy != path and content and _wrong_with(copy, content) is None:
        yield Finding(FINDINGS["M107"], place, "", str(copy.relative_to(root)))


def _wrong_with(path: Path, content: bytes) -> tuple[str, str] | None:
    """The code of what is wrong with a file that should have this content, and what is found there."""
    try:
        kind = kind_of(os.lstat(path).st_mode)
        if kind:
            return "M106", kind
        found = read_regular(path)
    except (FileNotFoundError, NotADirectoryError):
        return "M102", ""
    except OSError as error:
        return "M104", error.strerror or str(error)
    return None if found == content else ("M101", f"sha256:{hashlib.sha256(found).hexdigest()}")


def check_tombstones(context: ArchiveContext, logged: LoggedDigests) -> Iterator[Finding]:
    """Findings for tombstones that are not as the events of the purges tell, that are lost, or that none tells of."""
    layout = context.layout
    known: set[str] = set()
    purges = {layout.tombstone(event.project, event.resource): event for event in logged.purges}
    for path, event in purges.items():
        place = str(path.relative_to(layout.root))
        known.add(place)
        yield from _check_tombstone(path, place, event)
    for path in _everything_below(layout.tombstones):
        if str(path.relative_to(layout.root)) not in known and not _has_come(context, path, logged):
            yield Finding(FINDINGS["M105"], str(path.relative_to(layout.root)))


def _check_tombstone(path: Path, place: str, event: Event) -> Iterator[Finding]:
    told = str(event.detail.get("tombstone", ""))
    try:
        kind = kind_of(os.lstat(path).st_mode)
        found = b"" if kind else read_regular(path)
    except OSError as error:
        code = "M102" if isinstance(error, FileNotFoundError) else "M104"
        yield Finding(FINDINGS[code], place, told, error.strerror or str(error), event.resource, project=event.project)
        return
    digest = f"sha256:{hashlib.sha256(found).hexdigest()}"
    if kind:
        yield Finding(FINDINGS["M106"], place, told, kind, event.resource, project=event.project)
    elif told and digest != told:
        yield Finding(FINDINGS["M101"], place, told, digest, event.resource, project=event.project)


def _everything_below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        yield from (Path(place, name) for name in names)
        yield from (Path(place, name) for name in folders if os.path.islink(os.path.join(place, name)))


def _has_come(context: ArchiveContext, path: Path, logged: LoggedDigests) -> bool:
    """Whether the event that tells of a tombstone came meanwhile: the tombstone is there first."""
    # A tombstone is named by the digest that gives its object its place, and so its lock.
    with locked(context, context.layout.objects / path.stem[:TUPLE_SIZE]):
        logged.catch_up(context.log)
    return any(context.layout.tombstone(event.project, event.resource) == path for event in logged.purges)
