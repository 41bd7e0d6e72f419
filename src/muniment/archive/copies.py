"""What copies in stores need of an archive: the lines of its log as they are, and right bytes put back into it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO

from muniment.archive.archive import Archive
from muniment.archive.disk.durable import make_folder, write_file
from muniment.archive.disk.repaired import newest_copy
from muniment.archive.disk.root_files import RECORD, ROOT_FILES, RootFiles
from muniment.archive.eventlog.log import Difference
from muniment.archive.eventlog.missing_lines import LinesOf, lines_behind, lines_for, missing_lines
from muniment.archive.fixity.audit.log import LoggedDigests, check_log
from muniment.archive.fixity.audit.root_files import check_root_files, check_tombstones
from muniment.archive.fixity.repair.log_and_index import is_of_log, repair_log
from muniment.archive.fixity.repair.root_files import repair_root_files
from muniment.archive.ingest.purge import read_tombstone
from muniment.archive.ingest.repair_transaction import RepairTransaction, Subject
from muniment.archive.package.inventory import NAME, Inventory, parse_inventory, sidecar_of
from muniment.archive.package.objects import newest_inventory
from muniment.content import Finding, Hashers
from muniment.content.archive import Repair
from muniment.content.events import UNREADABLE, Event
from muniment.content.regular import open_regular, read_regular, regular_size
from muniment.errors.archive import DamagedRecord, DiskFull, ReadFailed, ResourcePurged
from muniment.errors.base import MunimentError
from muniment.errors.parity import CannotRepair

_CHUNK = 1 << 20


def log_lines(archive: Archive, after: int) -> Iterator[tuple[int, bytes]]:
    """Number and line, its end included, of every event after number `after`.

    Raises:
        DamagedRecord: A line is damaged in the log and its mirror: what comes after it is not handed out.
    """
    for line, path, event in archive.context.log.entries(after):
        if event.event == UNREADABLE:
            raise DamagedRecord(path=path, reason="a line of the log cannot be read; run `muniment audit`")
        if event.seq > after:
            yield event.seq, line + b"\n"


def tombstone_files(archive: Archive) -> Iterator[tuple[str, Path]]:
    """The records of what was purged, by their paths below the archive's root."""
    archive.context.bring_root_files()
    layout = archive.context.layout
    for path in sorted(layout.tombstones.glob("*/*.json")):
        yield path.relative_to(layout.root).as_posix(), path


def own_files(archive: Archive) -> dict[str, bytes]:
    """The archive's own files, which never change, by their paths below its root: as its record has them.

    Where the record is lost in both its places, as they lie there.
    """
    archive.context.bring_root_files()
    root = archive.context.layout.root
    record = RootFiles.read(root)
    if record is not None:
        return {**record.contents, RECORD: record.as_bytes()}
    found = {}
    for place in (*ROOT_FILES, RECORD):
        with contextlib.suppress(OSError):
            found[place] = read_regular(root / place)
    return found


def parse_own_files(record: bytes) -> Mapping[str, bytes]:
    """An archive's own files by their paths, from the bytes of their record (`root-files.json`).

    Raises:
        ValueError: They are not exactly what was once written.
    """
    return RootFiles.parse(record).contents


def log_size(archive: Archive) -> int:
    """Bytes of an archive's log."""
    return sum(regular_size(path) or 0 for path in archive.context.log.files())


def wrong_own_files(archive: Archive) -> list[Finding]:
    """What is wrong with what of the archive is no object: the log, its own files, tombstones; nothing is changed.

    Of an archive in a bucket its audit tells: here only copies of these are on this machine.
    """
    if archive.context.home is not None:
        return []
    context, logged = archive.context, LoggedDigests()
    found = list(check_log(context.log, logged, context.layout.locks / "events"))
    found += [*check_root_files(context), *check_tombstones(context, logged)]
    return [each for each in found if each.failed]


def repair_own_files(archive: Archive) -> Iterator[Repair]:
    """Look at what of the archive is no object (the log, its own files, tombstones) and repair it from what it has.

    Raises:
        DiskFull, WriteFailed: The storage refused.
    """
    context = archive.context
    if context.home is not None:
        return  # what is there is put once and never changes; its audit tells of it
    found = list(check_log(context.log, LoggedDigests(), context.layout.locks / "events"))
    yield from repair_log(context, [each for each in found if each.failed and is_of_log(each)])
    logged = LoggedDigests()
    logged.catch_up(context.log)
    others = [*check_root_files(context), *check_tombstones(context, logged)]
    yield from repair_root_files(context, [each for each in others if each.failed], logged)


class LogRepair:
    """Puts back into an archive's log what it lost in both its places, from what copies have of it."""

    def __init__(self, archive: Archive) -> None:
        self._context = archive.context

    def lacking(self) -> list[str]:
        """Where the chain of the log is broken, in words."""
        return [f"events before event {gap.number}" for gap in missing_lines(self._context.log)]

    def put_back(self, lines_of: LinesOf, source: str) -> list[int]:
        """Take the lines that are lacking, as far as the chain of hashes proves them; the numbers that came back.

        `lines_of` gives lines without their ends.

        Raises:
            DiskFull, WriteFailed: The storage refused.
            MunimentError: Whatever `lines_of` raises.
        """
        lines: dict[int, bytes] = {}
        for gap in list(missing_lines(self._context.log)):
            lines |= lines_for(self._context.log, gap, lines_of)
        return self._noted(lines, self._context.log.fill(lines) if lines else [], source)

    def put_back_end(self, lines_of: LinesOf, newest: int, source: str) -> list[int]:
        """Take the lines behind the log's end up to event `newest`, which go on from it; the numbers that came back.

        Nothing proves these but that this archive put them where they come from. It has to come before anything is
        appended: what is appended takes their numbers.

        Raises:
            MunimentError: As `put_back`.
        """
        lines: dict[int, bytes] = {}
        done: list[Difference] = []
        while more := lines_behind(self._context.log, newest, lines_of):
            done += self._context.log.fill(more)
            lines |= more
        return self._noted(lines, done, source)

    def _noted(self, lines: Iterable[int], done: Iterable[Difference], source: str) -> list[int]:
        """The numbers of the lines that came back, and an event about them and about the files they are in now."""
        numbers = sorted(lines)
        if not numbers:
            return []
        agent = f"{self._context.agent.name} <{self._context.agent.address}>"
        paths = sorted({f"events/{each.path.parent.name}/{each.path.name}" for each in done})
        about = {"first": numbers[0], "last": numbers[-1], "count": len(numbers)}
        detail = {"note": f"events taken from the copy in {source}", "paths": paths, "events": about}
        self._context.log.append([Event("repair", agent, detail=detail)])
        return numbers


class CopyRepair:
    """Puts bytes that copies gave back into an archive, where its own records or its log vouch for them.

    In a folder all files of one object go in one transaction: killed at any point, it is finished or undone at the next
    opening. In a bucket each is put by itself, whole, and the event comes last.
    """

    def __init__(self, archive: Archive) -> None:
        self._context = archive.context
        self._logged = LoggedDigests()

    def wrong(self, project: str, resource: str, wanted: Mapping[str, Mapping[str, str]]) -> list[str]:
        """Which files of an object (by their paths below it) are missing or have not the digests that are wanted."""
        if self._context.home is not None:
            return self._context.home.wrong(project, resource, wanted)
        root = self._context.layout.object(project, resource)
        found = []
        for name, digests in wanted.items():
            hashers = Hashers(sorted(digests))
            try:
                with open_regular(newest_copy(root / name, self._context.layout.root)) as file:
                    while piece := file.read(_CHUNK):
                        hashers.update(piece)
            except OSError:
                found.append(name)
                continue
            if dict(hashers.values()) != dict(digests):
                found.append(name)
        return found

    def put_back(
        self, project: str, resource: str, names: Iterable[str], fetch: Callable[[str], BinaryIO], source: str
    ) -> dict[str, str]:
        """Let files of an object be what was recorded, from the bytes that `fetch` gives; '' or why not, by path.

        An inventory is taken when the log has its digest, or else its sidecar or the root's copy; content when the
        inventory has. What is not vouched for is left as it is.

        Raises:
            ResourcePurged: The resource was purged.
            DiskFull, WriteFailed, StoreUnreachable, StoreRefused: The storage refused.
        """
        if self._context.home is not None:
            self._context.log.settled_head()
            self._logged.catch_up(self._context.log)
            vouched = partial(self._logged.vouched, project, resource)
            return self._context.home.put_back((project, resource), names, fetch, source, vouched)
        tombstone = read_tombstone(self._context, project, resource)
        if tombstone:
            raise ResourcePurged(id=resource, when=tombstone["purged"], why=tombstone["reason"])
        self._logged.catch_up(self._context.log)
        root = self._context.layout.object(project, resource)
        said: dict[str, str] = {}
        known = _Inventories(root, self._context.config.digests[0])
        subject = Subject(root, project, resource)
        with RepairTransaction.begin(self._context, subject, f"taken from the copy in {source}") as new:
            # Inventories first: they say what the content must be.
            for name in sorted(dict.fromkeys(names), key=lambda name: ("/content/" in name, name)):
                try:
                    if "/content/" in name:
                        self._content(new, root, name, fetch, known)
                    else:
                        self._inventory(new, root, (project, resource, name), fetch, known)
                except DiskFull:
                    raise
                except (MunimentError, OSError, ValueError, KeyError) as error:
                    said[name] = str(error)
                else:
                    said[name] = ""
            if not new.empty:
                make_folder(root)  # of an object that is lost altogether
                new.commit()
        return said

    def _inventory(
        self,
        new: RepairTransaction,
        root: Path,
        what: tuple[str, str, str],
        fetch: Callable[[str], BinaryIO],
        known: _Inventories,
    ) -> None:
        project, resource, name = what
        folder = name.partition("/")[0]
        number = int(folder.removeprefix("v"))
        with fetch(f"{folder}/{NAME}") as file:
            data = file.read()
        algorithm = known.algorithm
        digest = hashlib.new(algorithm, data).hexdigest()
        logged = self._logged.vouched(project, resource, number)
        vouched = {logged} if logged else known.sidecars(folder)
        if f"{algorithm}:{digest}" not in vouched:
            raise CannotRepair(path=name, reason="neither the log nor a sidecar vouches for what the copy gave")
        known.add(parse_inventory(data.decode("utf-8"), root / name))
        content = data if name.endswith(NAME) else sidecar_of(digest)
        new.write(root / name, content, beside=True)

    @staticmethod
    def _content(
        new: RepairTransaction, root: Path, name: str, fetch: Callable[[str], BinaryIO], known: _Inventories
    ) -> None:
        digests = known.digests(name)
        if not digests:
            raise CannotRepair(path=name, reason="no inventory says what it should be")
        fresh = new.folder / "copied"
        with fetch(name) as file:
            write_file(fresh, iter(lambda: file.read(_CHUNK), b""))
        try:
            new.put(root / name, fresh, digests)
        finally:
            fresh.unlink(missing_ok=True)


class _Inventories:
    """What is known of an object's content: from its own newest inventory, and those that copies gave."""

    def __init__(self, root: Path, algorithm: str) -> None:
        self._root = root
        self.algorithm = algorithm
        self._known: list[Inventory] = []
        with contextlib.suppress(FileNotFoundError, DamagedRecord, ReadFailed):
            self._known.append(newest_inventory(root, algorithm)[0])

    def add(self, inventory: Inventory) -> None:
        """Know one more."""
        self._known.append(inventory)

    def digests(self, name: str) -> dict[str, str]:
        """Every recorded digest of a content path; none where no inventory has it."""
        for inventory in self._known:
            if found := inventory.digests_of({name}).get(name):
                return found
        return {}

    def sidecars(self, folder: str) -> set[str]:
        """What the sidecars of a version and of the root say, where the log says nothing."""
        found = set()
        for place in (self._root / folder, self._root):
            with contextlib.suppress(OSError, UnicodeDecodeError):
                text = read_regular(place / f"{NAME}.{self.algorithm}").decode("ascii")
                found.add(f"{self.algorithm}:{text.split(maxsplit=1)[0]}" if text.strip() else "")
        return found
