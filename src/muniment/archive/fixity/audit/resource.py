"""One object's audit: its records against each other and the disk, and the files still to be digested."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from muniment.archive.context import ArchiveFolder
from muniment.archive.disk.repaired import REPAIRED, newest_copy
from muniment.archive.package.bag import FILES, INSTANCE, read_files
from muniment.archive.package.inventory import DECLARATION, NAME, Inventory, read_inventory_file, sidecar_of
from muniment.archive.package.objects import declare, newest_inventory, versions_on_disk
from muniment.content import FINDINGS, Finding
from muniment.content.config import Mode
from muniment.content.events import Head
from muniment.content.folders import kind_of
from muniment.content.identity import from_uri
from muniment.content.regular import open_regular, read_regular
from muniment.errors.archive import DamagedRecord, ReadFailed

_OF_VERSION = re.compile(r"v([1-9][0-9]*)(?:[/ ]|\Z)")


@dataclass(slots=True)
class Expected:
    """A content file as it should be: its digests, and its size where an instance records it."""

    digests: dict[str, str]
    size: int | None = None


class Lines(Protocol):
    """The lines of the log, as instances saw them."""

    def differs(self, head: Head) -> str:
        """In words, how the log is not the one that somebody saw reach as far as `head`; '' where it may be that."""


class Logged(Protocol):
    """What the log says of instances, as far as the check of an object asks."""

    @property
    def lines(self) -> Lines:
        """What instances are held against that say how far the log reached when they were made."""

    def digest(self, project: str, resource: str, instance: int) -> str | None:
        """The digest of an instance's inventory, '' where the log says none, None where it knows no such instance."""


@dataclass(slots=True)
class ObjectCheck:
    """What auditing one object needs to know; `findings` grows as records are read.

    `sizes` are those of the files on disk, `irregular` the places where something else than a file stands, `beside`
    whether anything stands repaired beside the objects of this archive.
    """

    context: ArchiveFolder
    root: Path
    resource: str = ""
    project: str = ""
    head: int = 0
    readable: bool = False
    files: dict[str, Expected] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    irregular: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    beside: bool = True
    inventories: dict[int, str] = field(default_factory=dict)
    """The digest of each version's inventory."""

    def say(self, code: str, name: str, expected: str = "", found: str = "") -> None:
        """Add a finding about a file or record of this object."""
        number = _OF_VERSION.match(name)
        instance = number[1] if number else ""
        self.findings.append(self.finding(code, name, expected, found, instance))

    def where(self, name: str) -> str:
        """A place in this object, below the archive's root."""
        return f"{self.root.relative_to(self.context.layout.root)}/{name}".rstrip("/")

    def place(self, name: str) -> Path:
        """Where a file of this object is read: in worm mode it may stand repaired beside it."""
        place = self.root / name
        return newest_copy(place, self.context.layout.root) if self.beside else place

    def finding(self, code: str, name: str, expected: str, found: str, instance: str) -> Finding:
        """A finding about this object, with its place below the archive's root."""
        return Finding(FINDINGS[code], self.where(name), expected, found, self.resource, instance, self.project)


def check_records(context: ArchiveFolder, root: Path, logged: Logged | None) -> ObjectCheck:
    """Read all records of an object, compare them, and say which content files there should be."""
    check = ObjectCheck(context, root, beside=(context.layout.root / REPAIRED).is_dir())
    algorithm = context.config.digests[0]
    versions = versions_on_disk(root)
    _check_declaration(check)
    if not versions:
        check.say("M102", "v1", "an OCFL object")
        return check
    check.head = versions[-1]
    if versions != list(range(1, check.head + 1)):
        missing = next(number for number in range(1, check.head + 1) if number not in versions)
        check.say("M102", f"v{missing}", f"versions 1 to {check.head}")
    newest, digests = _read_versions(check, versions, algorithm)
    check.inventories = digests
    _check_root(check, algorithm, digests)
    if newest is None or newest.head != check.head:
        try:
            # The root's copy stands in for the newest version's own, as it does for readers.
            newest, digests[check.head] = newest_inventory(root, algorithm)
        except (FileNotFoundError, DamagedRecord, ReadFailed):
            check.say("M104", f"v{check.head}", "", "no inventory says what should be in it")
            return check
    check.readable = True
    own = from_uri(newest.id)
    if own is None or context.layout.object(*own) != root:
        check.say("M202", NAME, "", f"the id {newest.id!r} does not belong here")
    else:
        check.project, check.resource = own
        _check_log(check, digests, logged)
    _expect(check, newest)
    if logged is not None and check.project:
        for number in newest.versions:
            _check_head(check, newest, number, logged)
    return check


def _check_declaration(check: ObjectCheck) -> None:
    path, data = declare(check.root)
    try:
        found = read_regular(path)
    except FileNotFoundError:
        check.say("M102", DECLARATION, "an OCFL object")
    except OSError as error:
        check.say("M104", DECLARATION, "", error.strerror or str(error))
    else:
        if found != data:
            check.say("M101", DECLARATION, repr(data.decode()), repr(found[:80].decode("utf-8", "replace")))


def _read_versions(check: ObjectCheck, versions: list[int], algorithm: str) -> tuple[Inventory | None, dict[int, str]]:
    """The newest version's inventory that is whole, and the digests of all that are."""
    digests: dict[int, str] = {}
    newest: Inventory | None = None
    for number in versions:
        found = _record(check, f"v{number}", algorithm)
        if found is None or found[0] is None:
            continue
        newest, digests[number] = found[0], found[1]
        if newest.head != number:
            check.say("M202", f"v{number}/{NAME}", "", f"it is the inventory of v{newest.head}")
    return newest, digests


def _expect(check: ObjectCheck, newest: Inventory) -> None:
    """Note every content file there should be, with its digests and the size its instances record."""
    further = newest.further_digests()
    for digest, paths in newest.manifest.items():
        for path in paths:
            check.files[path] = Expected({newest.algorithm: digest, **further.of(path)})
    for number in newest.versions:
        _note_sizes(check, newest, number)


def check_presence(check: ObjectCheck) -> None:
    """Both ways: recorded files that are not there, and files that nothing records."""
    if not check.readable:
        return
    algorithm = check.context.config.digests[0]
    known = set(check.files) | {DECLARATION, NAME, f"{NAME}.{algorithm}"}
    for number in range(1, check.head + 1):
        known |= {f"v{number}/{NAME}", f"v{number}/{NAME}.{algorithm}"}
    there: set[str] = set()
    for name, entry in everything(check.root, ""):
        there.add(name)
        if entry is None:
            check.say("M105", f"{name} (an empty folder)")
        elif name not in known:
            check.say("M105", name)
        else:
            _check_file(check, name, entry)
    for name in check.files.keys() - there:
        check.say("M102", name, _digest_text(check.files[name]))


def _check_file(check: ObjectCheck, name: str, entry: os.DirEntry[str]) -> None:
    # The listing tells what it is; only for its size it must be asked.
    if not entry.is_file(follow_symlinks=False):
        check.irregular.add(name)
        check.say("M106", name, "", kind_of(entry.stat(follow_symlinks=False).st_mode))
    elif name in check.files:
        status = entry.stat(follow_symlinks=False)
        check.sizes[name] = status.st_size
        expected = check.files[name].size
        if expected is not None and expected != status.st_size:
            check.say("M103", name, str(expected), str(status.st_size))


def _record(check: ObjectCheck, folder: str, algorithm: str, known: str = "") -> tuple[Inventory | None, str] | None:
    """An inventory and its digest; None for the inventory whose digest is `known`, as it was parsed already."""
    name = f"{folder}/{NAME}" if folder else NAME
    try:
        file = read_inventory_file(check.root / folder, algorithm)
        # Readers take the digest in front and pass over the rest: of the rest somebody has to speak.
        if file.sidecar != sidecar_of(file.digest):
            expected, found = "the digest, a space and the name alone", "something else around the digest"
            check.say("M101", f"{name}.{algorithm}", expected, found)
        return (None if file.digest == known else file.parse()), file.digest
    except FileNotFoundError as error:
        check.say("M102", f"{folder}/{os.path.basename(error.filename)}".lstrip("/"), "an inventory and its sidecar")
    except ReadFailed as error:
        check.say("M104", name, "", str(error.details["reason"]))
    except DamagedRecord as error:
        check.say("M101", name, "the digest in its sidecar", str(error.details["reason"]))
    return None


def _check_root(check: ObjectCheck, algorithm: str, digests: dict[int, str]) -> None:
    """The copy in the root is that of the newest version (OCFL 1.1 E046), in worm mode that of the first."""
    number = 1 if check.context.config.mode is Mode.WORM else check.head
    found = _record(check, "", algorithm, digests.get(number, ""))
    if found and found[0] and number in digests:
        check.say("M203", NAME, f"v{number}", f"v{found[0].head}")


def _check_log(check: ObjectCheck, digests: dict[int, str], logged: Logged | None) -> None:
    if logged is None:
        return
    for number in range(1, check.head + 1):
        said = logged.digest(check.project, check.resource, number)
        if number not in digests:
            continue
        found = f"{check.context.config.digests[0]}:{digests[number]}"
        if said is None:
            check.say("M305", f"v{number}")
        elif said and said != found:
            check.say("M303", f"v{number}/{NAME}", said, found)


def _check_head(check: ObjectCheck, inventory: Inventory, number: int, logged: Logged) -> None:
    """Each instance says how far the log reached when it was made: that must still be the log."""
    try:
        place = check.place(inventory.content_path(inventory.logical(number)[INSTANCE]))
        head = json.loads(read_regular(place)).get("log", {"seq": 0, "hash": ""})
        wrong = logged.lines.differs(Head(int(head["seq"]), str(head["hash"])))
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return  # missing or damaged: said by the comparison with the disk and with the digests
    if wrong:
        check.say("M307", f"v{number}", f"event {head['seq']} with the hash {head['hash']}", wrong)


def _note_sizes(check: ObjectCheck, inventory: Inventory, number: int) -> None:
    logical = inventory.logical(number)
    try:
        location = check.place(inventory.content_path(logical[FILES]))
        with open_regular(location) as raw, io.BufferedReader(raw) as file:
            for stored, entry in read_files(file):
                expected = check.files.get(inventory.content_path(logical[stored]))
                if expected:
                    expected.size = entry.size
    except FileNotFoundError:
        return  # found missing by the comparison with the disk
    except (OSError, KeyError, ValueError, TypeError) as error:
        check.say("M202", f"v{number} {FILES}", "", str(error))


def everything(folder: Path, prefix: str) -> Iterator[tuple[str, os.DirEntry[str] | None]]:
    """Every file below a folder with its path, and with None every folder that is empty; however deep they lie."""
    waiting = [(os.fspath(folder), prefix)]
    while waiting:
        place, above = waiting.pop()
        with os.scandir(place) as entries:
            listing = sorted(entries, key=lambda entry: entry.name)
        if above and not listing:
            yield above, None
        for entry in listing:
            if entry.is_dir(follow_symlinks=False):
                waiting.append((entry.path, f"{above}{entry.name}/"))
            else:
                yield above + entry.name, entry


def _digest_text(expected: Expected) -> str:
    algorithm = "sha256" if "sha256" in expected.digests else next(iter(expected.digests))
    return f"{algorithm}:{expected.digests[algorithm]}"
