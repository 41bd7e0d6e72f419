"""Extracts files of an instance into a folder: checked on the way, and never over a file that exists."""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from muniment.content import Entry, LogicalPath, Progress, quiet
from muniment.content.instance import Instance
from muniment.content.times import read_time
from muniment.content.trees import make_folders, remove_folders
from muniment.errors.archive import DiskFull, FileNotInInstance, OutputExists, WriteFailed
from muniment.errors.content import UnsafePath

_CHUNK = 1 << 20
_LONGEST = 255


@dataclass(frozen=True, slots=True)
class Extracted:
    """What is not in the folder as it was in the instance: names given instead, and what was left out, with why."""

    renamed: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def take_out_file(instance: Instance, path: str, target: Path) -> None:
    """Copy one file to `target`; the name appears only once the bytes are checked.

    Raises:
        FileNotInInstance: There is no such file.
        OutputExists: There is something at `target`.
        DamagedFile, ReadFailed: The archive's file is not what it should be.
        DiskFull, WriteFailed: `target` could not be written.
    """
    entry = instance[path]
    if target.is_dir():
        target = target / LogicalPath.parse(path).name
    _refuse_existing(target)
    _copy(instance, entry, target)


def take_out(instance: Instance, target: Path, folder: str = "", *, progress: Progress = quiet) -> Extracted:
    """Copy every file of an instance, or of a folder in it, into the new folder `target`.

    Links are made again where they point inside the folder; empty folders too. Returns what could not be
    kept as it was.

    Raises:
        FileNotInInstance: There is no such folder.
        OutputExists: There is something in `target`.
        DamagedFile, ReadFailed: A file is not what it should be; what was copied so far is removed.
        DiskFull, WriteFailed: The folder could not be written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise OutputExists(path=target)
    prefix = f"{folder}/" if folder else ""
    total = sum(path.startswith(prefix) for path in instance) if prefix else len(instance)
    others = (*instance.record.get("links", {}), *(f"{each}/" for each in instance.record.get("folders", [])))
    if prefix and not total and not any(name.startswith(prefix) for name in others):
        raise FileNotInInstance(instance=instance.number, id=instance.id, path=folder)
    fresh = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    found = Extracted()
    try:
        with _writing(target):
            make_folders(fresh)
            size = 0
            for done, entry in enumerate((each for each in instance.files() if each.path.startswith(prefix)), 1):
                inside = entry.path.removeprefix(prefix)
                name = _possible(inside)
                if name != inside:
                    found.renamed[entry.path] = name
                place = fresh / name
                make_folders(place.parent)
                _copy(instance, entry, place)
                size += entry.size or 0
                progress("taking out", done, total, size=size)
            _make_folders(instance, fresh, found, prefix)
            _make_links(instance, fresh, found, prefix)
            if target.exists():
                target.rmdir()
            fresh.rename(target)
    except BaseException:
        remove_folders(fresh)
        raise
    return found


def _copy(instance: Instance, entry: Entry, place: Path) -> None:
    fresh = place.with_name(f".{secrets.token_hex(8)}")
    try:
        with _writing(place), instance.open(entry.path) as source, fresh.open("xb", buffering=0) as target:
            while chunk := source.read(_CHUNK):
                view = memoryview(chunk)
                while view:
                    view = view[target.write(view) :]
        with _writing(place):
            moment = read_time(entry.modified)
            if moment is not None:
                # Some file systems hold fewer years than a text does.
                with contextlib.suppress(OSError, OverflowError):
                    os.utime(fresh, (moment.timestamp(), moment.timestamp()))
            fresh.rename(place)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise


def _make_folders(instance: Instance, root: Path, found: Extracted, prefix: str) -> None:
    for name in instance.record.get("folders", []):
        if not name.startswith(prefix):
            continue
        try:
            make_folders(root / LogicalPath.parse(name.removeprefix(prefix)))
        except (UnsafePath, FileExistsError, NotADirectoryError) as error:
            found.left_out[name] = f"an empty folder: {error}"


def _make_links(instance: Instance, root: Path, found: Extracted, prefix: str) -> None:
    """Make those links again that stay in the folder, and say of the others why not."""
    made: list[tuple[str, str]] = []
    links = instance.record.get("links", {}).items()
    for name, pointed in ((name.removeprefix(prefix), to) for name, to in links if name.startswith(prefix)):
        why = _make_link(root, name, pointed)
        if why:
            found.left_out[name] = f"a link to {pointed!r}: {why}"
        else:
            made.append((name, pointed))
    # A link may lead out by way of another, and each that goes may cut the way of others.
    while leading_out := [each for each in made if not _stays_inside(root / each[0], root)]:
        for name, pointed in leading_out:
            (root / name).unlink()
            made.remove((name, pointed))
            found.left_out[name] = f"a link to {pointed!r}: {_LEADS_OUT}"


_LEADS_OUT = "it leads out of the folder"


def _make_link(root: Path, name: str, pointed: str) -> str:
    """Make one link, or say why it is not made."""
    try:
        place = root / LogicalPath.parse(name)
    except UnsafePath as error:
        return error.message
    inside = posixpath.normpath(posixpath.join(posixpath.dirname(name), pointed))
    # A link that leaves the folder is a note about the past, not something to make again.
    if pointed.startswith("/") or inside == ".." or inside.startswith("../"):
        return _LEADS_OUT
    if os.path.lexists(place):
        return "something else has its name"
    if any(parent.is_symlink() for parent in place.parents if parent.is_relative_to(root)):
        return "it lies below another link"
    try:
        make_folders(place.parent)
        place.symlink_to(pointed)
    except (FileExistsError, NotADirectoryError):
        return "a file is in its way"
    return ""


def _stays_inside(place: Path, root: Path) -> bool:
    return Path(os.path.realpath(place)).is_relative_to(os.path.realpath(root))


def _possible(path: str) -> str:
    """The path with segments that are too long for a file's name cut to fit."""
    if all(len(segment.encode("utf-8")) <= _LONGEST for segment in path.split("/")):
        return path
    return "/".join(_short(segment) for segment in path.split("/"))


def _short(segment: str) -> str:
    if len(segment.encode("utf-8")) <= _LONGEST:
        return segment
    kept = segment.encode("utf-8")[:200].decode("utf-8", "ignore")
    return f"{kept}~{secrets.token_hex(4)}"


def _refuse_existing(target: Path) -> None:
    if os.path.lexists(target):
        raise OutputExists(path=target)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(path=path) from error
        raise WriteFailed(path=path, reason=error.strerror or str(error)) from error
