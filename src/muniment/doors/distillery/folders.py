"""The folder of scans: `<collection>/<folder>/<folder>_<sequence>.tif`, read in order, with everything that is wrong.

Nothing is changed here, and no link is followed: what lies elsewhere was not put here to be archived.
"""

from __future__ import annotations

import difflib
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from muniment.errors.distillery import BadFolderName, BadImageName, NotReadyToDistill
from muniment.layouts import preservation

_NEAR = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong: in which folder, with which file, what, and what can be done about it.

    An error keeps its folder from being run; one without a folder, the whole collection. A warning keeps nothing.
    """

    folder: str
    text: str
    way_out: str = ""
    file: str = ""
    severity: Literal["error", "warning"] = "error"

    @property
    def said(self) -> str:
        """What is wrong and what can be done about it, as sentences."""
        return f"{self.text.rstrip('.')}. {self.way_out}".rstrip()


@dataclass(frozen=True, slots=True)
class ScanFile:
    """One scan: its file, its place in the folder, its bytes, and when it was changed (nanoseconds since 1970)."""

    path: Path
    sequence: str
    size: int
    changed: int


@dataclass(frozen=True, slots=True)
class ScanFolder:
    """The scans of one archival object. Where the name cannot be matched, `component_id` is empty."""

    name: str
    component_id: str
    files: tuple[ScanFile, ...] = ()
    problems: tuple[Problem, ...] = field(default=())

    @property
    def bytes(self) -> int:
        """Bytes of all scans."""
        return sum(each.size for each in self.files)


@dataclass(frozen=True, slots=True)
class ScanCollection:
    """The scans of a collection, and what is wrong with the folder as a whole."""

    id: str
    folders: tuple[ScanFolder, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_collection(scans: Path, collection: str, only: Sequence[str] = ()) -> ScanCollection:
    """Read a collection's folder below `scans`; with `only`, of the folders in it those with these names."""
    if not preservation.is_collection_id(collection):
        text = f"{collection!r} is no collection's id: it has letters, digits, '-', '.', '_' and '~'"
        return ScanCollection(collection, problems=(Problem("", text, "Give the id as ArchivesSpace has it."),))
    try:
        names = _names(scans)
    except OSError as error:
        text = f"the folder of scans {scans} cannot be read: {error.strerror}"
        return ScanCollection(collection, problems=(Problem("", text, "See to its rights, or to the mount."),))
    place = scans / collection
    if collection not in names or not _is_folder(place):
        near = near_names(collection, names)
        text = f"there is no folder {collection!r} in {scans}"
        way_out = f"Near it: {', '.join(near)}." if near else "Put the scans there."
        return ScanCollection(collection, problems=(Problem("", text, way_out),))
    return _read(place, collection, only)


def _read(place: Path, collection: str, only: Sequence[str]) -> ScanCollection:
    folders: list[ScanFolder] = []
    problems: list[Problem] = []
    try:
        names = _names(place)
    except OSError as error:
        text = f"{place} cannot be read: {error.strerror}"
        return ScanCollection(collection, problems=(Problem("", text, "See to its rights."),))
    wanted = set(only or names)
    for name in names:
        path = place / name
        if _is_folder(path):
            if name in wanted:
                folders.append(_folder(path, collection))
        elif not name.startswith("."):
            problems.append(
                Problem("", f"{name!r} lies beside the folders and is left alone", file=name, severity="warning")
            )
    for name in sorted(wanted - {each.name for each in folders}) if only else ():
        near = near_names(name, names)
        way_out = f"Near it: {', '.join(near)}." if near else "Leave it out, or put the scans there."
        problems.append(Problem("", f"there is no folder {name!r} in {place}", way_out))
    for component, count in Counter(each.component_id for each in folders).items():
        if component and count > 1:
            named = ", ".join(each.name for each in folders if each.component_id == component)
            problems.append(Problem("", f"{named} are all {component}", "Merge them into one folder."))
    if not folders and not only:
        problems.append(Problem("", f"{place} has no folders", "Put a folder there for each archival object."))
    elif folders and not any(each.files for each in folders):
        problems.append(Problem("", f"{place} has no TIFF in any folder", "Put the scans there."))
    return ScanCollection(collection, tuple(folders), tuple(problems))


def _folder(path: Path, collection: str) -> ScanFolder:
    name, component = path.name, ""
    problems: list[Problem] = []
    files: list[ScanFile] = []
    try:
        component = preservation.component_id(name, collection)
    except BadFolderName as error:
        problems.append(Problem(name, error.message, f"Name it {collection}_BOX_FOLDER, such as {collection}_1_05."))
    try:
        entries = _names(path)
    except OSError as error:
        return ScanFolder(name, component, problems=(Problem(name, f"it cannot be read: {error.strerror}"),))
    for entry in entries:
        problem = _file(path / entry, name, files)
        if problem is not None:
            problems.append(problem)
    for sequence, count in Counter(each.sequence for each in files).items():
        if count > 1:
            named = ", ".join(each.path.name for each in files if each.sequence == sequence)
            problems.append(Problem(name, f"{named} are all number {sequence}", "Leave one of them."))
    if not files:
        problems.append(Problem(name, "it has no TIFF", "Put the scans there, or remove the folder."))
    return ScanFolder(name, component, tuple(files), tuple(problems))


def _file(path: Path, folder: str, files: list[ScanFile]) -> Problem | None:
    """Take a scan in, or say why not."""
    entry = path.name
    try:
        entry.encode()
    except UnicodeEncodeError:
        return Problem(folder, f"the name {os.fsencode(entry)!r} is not UTF-8", "Name it anew.", file=repr(entry))
    if entry.startswith("."):
        return None
    try:
        found = path.lstat()
    except OSError as error:
        return Problem(folder, f"it cannot be read: {error.strerror}", file=entry)
    if stat.S_ISDIR(found.st_mode):
        return Problem(folder, "it is a folder in a folder, and is left alone", file=entry, severity="warning")
    if not preservation.is_image_name(entry):
        text = "it is no TIFF by its name (.tif or .tiff, in small letters), and is left alone"
        return Problem(folder, text, file=entry, severity="warning")
    if not stat.S_ISREG(found.st_mode):
        return Problem(folder, "it is no plain file", "Put the scan itself there.", file=entry)
    try:
        sequence = preservation.sequence(entry, folder)
    except BadImageName as error:
        return Problem(folder, error.message, "Name it after its folder.", file=entry)
    files.append(ScanFile(path, sequence, found.st_size, found.st_mtime_ns))
    return None


def known_collections(scans: Path) -> Iterator[str]:
    """The names that could be collections' below the folder of scans."""
    try:
        names = _names(scans)
    except OSError:
        return
    yield from (each for each in names if preservation.is_collection_id(each) and _is_folder(scans / each))


def refuse_unknown(scans: Path, collection: str) -> None:
    """Refuse an id of which there are no scans, so that a form says so at once and names those that are near.

    Raises:
        NotReadyToDistill: There is no such folder.
    """
    known = list(known_collections(scans))
    if preservation.is_collection_id(collection) and collection not in known:
        near = near_names(collection, known)
        said = f"near it: {', '.join(near)}" if near else "put the scans there"
        problems = f"there is no folder of that name in {scans}; {said}"
        raise NotReadyToDistill(collection=repr(collection[:80]), problems=problems)


def known_folders(scans: Path, collection: str) -> Iterator[str]:
    """The names of the folders of a collection; none where there is no such collection."""
    if preservation.is_collection_id(collection):
        try:
            names = _names(scans / collection)
        except OSError:
            return
        yield from (each for each in names if _is_folder(scans / collection / each))


def near_names(name: str, names: list[str]) -> list[str]:
    """The names that somebody may have meant: the same in other letters, or else the closest."""
    same = [each for each in names if each.casefold() == name.casefold()]
    shown = {each.casefold(): each for each in names if not each.startswith(".")}
    return same or [shown[each] for each in difflib.get_close_matches(name.casefold(), list(shown), _NEAR)]


def _names(path: Path) -> list[str]:
    """The names in a folder as they are written there, letter by letter: some filesystems open them in any case."""
    return sorted(each.name for each in path.iterdir())


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False
