"""A transaction: an instance that is being built, until it commits or rolls back."""

from __future__ import annotations

import contextlib
import copy
import os
import threading
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from muniment.archive.context import ArchiveContext
from muniment.archive.ingest.checking import examine
from muniment.archive.ingest.commit import abandon, flush, give_up, hand_over, publish, seal
from muniment.archive.ingest.content_writer import ContentWriter, known_content
from muniment.archive.ingest.draft import Draft, Kept
from muniment.archive.ingest.journal import Rebuilt, addition
from muniment.archive.ingest.staging import StagingArea, TransactionRecord
from muniment.archive.ingest.two_phase import reserve, unreserve
from muniment.archive.package.instance import Instance
from muniment.archive.package.inventory import Inventory
from muniment.archive.package.names import keepable
from muniment.archive.package.objects import newest_inventory
from muniment.content import Entry, LogicalPath, Progress, parse_expected, quiet
from muniment.content.acceptable import check_json, check_object, check_target, check_text
from muniment.content.checks import CheckReport
from muniment.content.events import Event
from muniment.content.folders import own_name, refuse_for_folder, refuse_special, walk
from muniment.content.identity import new_uuid
from muniment.content.times import check_time, now
from muniment.content.transaction import Addable, Expected
from muniment.errors.archive import ArchiveInside, FileNotInInstance, ResourceNotFound, TransactionClosed
from muniment.errors.base import BadInput, MunimentError, StorageError

if TYPE_CHECKING:
    from muniment.archive.parity.ahead import ParityAhead
    from muniment.content.exclusions import Exclusions, LeftOut

_LINES_AT_ONCE = 100


class Transaction:
    """A new instance of a resource in the making.

    As a context manager it commits on a clean exit and rolls back on an exception. Without one it
    stays until `commit()` or `rollback()`, and is reported as left over if the process ends first.

    Bytes and streams may be added by several threads at once, each with a path of its own.
    """

    def __init__(self, context: ArchiveContext, area: StagingArea, draft: Draft, base: Instance | None) -> None:
        self.id = area.record.id
        self.project = area.record.project
        self.number = area.record.base + 1
        self.prepared = area.sealed() is not None
        self.provenance: list[object] = []
        self.unprotected = ""
        self._protected = not context.parity
        self.context = context
        self.area = area
        """Where it is being built."""
        self._sealed: Inventory | None = None
        self._ahead: ParityAhead | None = None
        self._draft = draft
        held: Container[str] = base.held() if base else ()
        known = known_content(draft.entries, context.config.digests[0])
        self._writer = ContentWriter(context.copier, area, known, held, context.pieces)
        self._closed = ""
        self._lock = threading.Lock()
        self._metadata_before = copy.deepcopy(draft.metadata)
        self._noted_metadata = self._metadata_before
        self._read_to = 0

    @classmethod
    def begin(cls, context: ArchiveContext, project: str, resource: str, base: Instance | None, message: str) -> Self:
        """Open a transaction on `base`, or for a new resource where that is None.

        Raises:
            DiskFull, WriteFailed: The storage refused.
        """
        check_text(message, "the message")
        record = TransactionRecord(
            transaction=new_uuid(),
            project=project,
            id=resource,
            base=base.number if base else 0,
            started=now(),
            agent_name=context.agent.name,
            agent_address=context.agent.address,
            message=message,
            log=context.log.head().seq,
        )
        draft = Draft(base.files(), base.record) if base else Draft()
        return cls(context, StagingArea.begin(context.layout, record), draft, base)

    def __enter__(self) -> Self:
        """Use the transaction in a `with` block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit on a clean exit, roll back on an exception; closed by hand before is fine."""
        if self._closed:
            return
        try:
            if kind is None:
                self.commit()
        finally:
            if not self._closed:
                self.rollback()

    def __iter__(self) -> Iterator[str]:
        """The paths the instance would have now."""
        self._refuse_closed()
        return iter([entry.path for entry in self._draft])

    def __contains__(self, path: object) -> bool:
        """Whether the instance would have this file now."""
        self._refuse_closed()
        return path in self._draft.entries

    @property
    def transaction(self) -> str:
        """The transaction's own id; it becomes the instance's identifier."""
        return self.area.record.transaction

    @property
    def metadata(self) -> dict[str, Any]:
        """What is said about the instance: JSON data, to be changed in place."""
        return self._draft.metadata

    def files(self) -> Iterator[Entry]:
        """Every entry the instance would have now, sorted by path."""
        self._refuse_closed()
        return iter(list(self._draft))

    def add(
        self,
        source: Addable,
        path: str | None = None,
        *,
        digests: Expected = None,
        modified: str | None = None,
        exclude: Exclusions | None = None,
        progress: Progress = quiet,
    ) -> list[Entry]:
        """Add a file, or all that is in a folder, and return the new entries.

        `path` is the name in the package (for a folder: the folder to put its files under); a file
        named by path keeps its own name without it. `digests` are what the file must have. `exclude` says
        what of a folder is left out; the instance records that, with the rule.

        Raises:
            UnsafePath, PathTaken, PathCollides: It cannot have that path.
            BadValue: `modified` is no time with its zone.
            DigestMismatch: The file has another digest; it was refused.
            SourceUnreadable, SourceChanged, NotAPlainFile: The source could not be read as one whole.
            ArchiveInside: The folder holds the archive.
            DiskFull, WriteFailed: The storage refused.
            TransactionClosed: The transaction is over.
        """
        return self._take(source, path, digests, modified, exclude, progress, replace=False)

    def replace(
        self,
        source: Addable,
        path: str | None = None,
        *,
        digests: Expected = None,
        modified: str | None = None,
        exclude: Exclusions | None = None,
        progress: Progress = quiet,
    ) -> list[Entry]:
        """As `add`, for a path that is there already, also when this transaction added it.

        Raises:
            FileNotInInstance: There is no such file to replace.
            MunimentError: As `add`.
        """
        name = path if path is not None else own_name(source)
        if name not in self._draft.entries:
            raise FileNotInInstance(instance=self.number, id=self.id, path=name)
        return self._take(source, name, digests, modified, exclude, progress, replace=True)

    def delete(self, path: str) -> list[str]:
        """Leave a file, or a folder and all below it, out of the new instance; earlier ones keep it.

        Raises:
            FileNotInInstance: There is no such file or folder.
            TransactionClosed: The transaction is over.
        """
        self._refuse_unless_open()
        gone = self._draft.remove(path)
        if not gone:
            raise FileNotInInstance(instance=self.number, id=self.id, path=path)
        self.area.note({"delete": path})
        return gone

    def note_links(self, links: Mapping[str, str], folders: Iterable[str]) -> None:
        """Record links as links and folders with nothing in them, as `add` does for a folder.

        Raises:
            UnsafePath, PathTaken, PathCollides: One of them cannot be there.
            BadValue: A link's target is nothing a link can hold.
            TransactionClosed: The transaction is over.
        """
        self._refuse_unless_open()
        names = [keepable(name) for name in folders]
        self._draft.add_others({keepable(link): check_target(target, link) for link, target in links.items()}, names)
        self.area.note({"links": dict(links), "folders": names})

    def note_left_out(self, left_out: Iterable[LeftOut]) -> None:
        """Record what was not taken in and by which rule, as `add` does for a folder.

        Raises:
            BadValue: Something of it cannot be kept.
            TransactionClosed: The transaction is over.
        """
        self._refuse_unless_open()
        noted = [each.as_json() for each in left_out]
        check_json(noted, "what was left out")
        self._draft.left_out += noted
        self.area.note({"left out": noted})

    def check_path(self, path: str, *, replace: bool) -> LogicalPath:
        """Refuse what `add`, or `replace`, would refuse before it reads a byte; the path, if it would not.

        Raises:
            UnsafePath, PathTaken, PathCollides: It cannot have that path.
            FileNotInInstance: There is no such file to replace.
            TransactionClosed: The transaction is over.
        """
        self._refuse_unless_open()
        if replace and path not in self._draft.entries:
            raise FileNotInInstance(instance=self.number, id=self.id, path=path)
        return self._check(path, replace=replace)

    @property
    def uploads(self) -> Path:
        """The folder for what is on its way into the transaction; it vanishes with it."""
        return self.area.uploads

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The digests that are recorded of every file."""
        return self.context.config.digests

    def store_upload(self, part: Path, entry: Entry, expected: Mapping[str, str], pieces: tuple[str, ...]) -> Entry:
        """Make a file that lies in the folder of uploads, digested already with its `pieces`, one of the transaction's.

        Raises:
            DigestMismatch: It is not what was expected; it is gone.
            DiskFull, WriteFailed: The storage refused.
        """
        return self._store(self._writer.move_in(part, entry, expected, pieces))

    def commit(self, *, message: str | None = None, progress: Progress = quiet) -> Instance:
        """Publish the new instance and return it.

        On return it is on stable storage with its event, and its parity is made; if that fails, it is committed
        all the same, `unprotected` and an event say why, and `repair` makes it. A transaction in which nothing was
        done to an existing resource publishes nothing and returns the instance it began on.

        Raises:
            StaleTransaction, ResourceExists: Somebody else was first; nothing was published.
            BadValue: What is said about the instance cannot be kept; the transaction stays open.
            DiskFull, WriteFailed: The storage refused; the transaction is rolled back.
            TransactionClosed: The transaction is over.
            ResourceNotFound: Nothing was done, and somebody purged the resource meanwhile.
        """
        unchanged = self.complete(message=message, progress=progress)
        if unchanged is not None:
            return unchanged
        try:
            if not self.prepared:
                flush([self.area])
            publish(self.context, self.area, self.place_parity)
        except BaseException:
            self.fail()
            raise
        return self.finish(progress)

    def complete(self, *, message: str | None = None, progress: Progress = quiet) -> Instance | None:
        """Do of a commit what comes before the flush; where there is nothing to commit, the instance it began on.

        Raises:
            MunimentError: As `commit`.
        """
        self._refuse_closed()
        self._refuse_unkeepable(message)
        if message and not self.prepared:
            self.area.restate(message=message)
        base = self.area.record.base
        if base and not self._changed() and not self.prepared:
            self.rollback()
            self._closed = "committed"
            return self._instance(base)
        if self.prepared:
            return None
        checked = self._examine()
        self._ahead = self._parity_ahead(progress)
        try:
            taken = (self._draft, self._writer.close(), self.provenance)
            self._sealed = seal(self.context, self.area, *taken, checked=checked, parity=self._ahead)
        except BaseException:
            self.fail()
            raise
        return None

    def fail(self) -> None:
        """What was sealed could not be published: undo that."""
        self._closed = "rolled back"
        if self.prepared:
            # It may have been decided that it be committed: only a replay or a rollback settles that.
            self.area.release()
        else:
            abandon(self.area)

    def finish(self, progress: Progress = quiet) -> Instance:
        """Do what is left when the version is published, and return the instance."""
        self._closed = "committed"
        if self.prepared:
            # It is committed: a mark that stays is removed by the next commit to the resource.
            with contextlib.suppress(StorageError):
                unreserve(self.context, self.area.record)
        if not self._protected:
            self._protect(progress)
        return self._instance(self.number, self._sealed)

    def rollback(self) -> None:
        """Undo everything: the archive is as it was before the transaction.

        Raises:
            TransactionClosed: The transaction is over.
            WriteFailed: The storage refused to remove what was staged; recovery does it.
        """
        self._refuse_closed()
        give_up(self.context, self.area)
        self._closed = "rolled back"
        self.area.discard()

    def prepare(self, group: str, decided_at: str) -> None:
        """Make everything ready, so that `commit` cannot fail for want of room or by somebody else's commit.

        `group` is the id of the transactions that belong together, `decided_at` the id of the archive
        that records the decision. A prepared transaction takes nothing more in and does not expire.

        Raises:
            StaleTransaction, ResourceExists, ResourceReserved: Somebody else was first.
            DiskFull, WriteFailed: The storage refused; the transaction is as before.
        """
        self._refuse_closed()
        if self.prepared:
            return
        self._refuse_unkeepable(None)
        checked = self._examine()
        reserve(self.context, self.area)
        try:
            waiting = {"group": group, "decided at": decided_at}
            seal(self.context, self.area, self._draft, self._writer.staged, self.provenance, waiting, checked)
            flush([self.area])
            hand_over(self.context, self.area)
        except BaseException:
            with contextlib.suppress(StorageError):
                self.area.unseal()
            with contextlib.suppress(StorageError):
                unreserve(self.context, self.area.record)
            raise
        self.prepared = True

    def leave(self) -> None:
        """Let go of the transaction as it is, to be replayed or rolled back later."""
        self.park()
        self._closed = "left"

    @classmethod
    def resume(cls, context: ArchiveContext, area: StagingArea, base: Instance | None) -> Self:
        """A transaction that was parked, built again from its journal.

        Raises:
            DamagedRecord: The journal cannot be read.
        """
        draft = Draft(base.files(), base.record) if base else Draft()
        found = cls(context, area, draft, base)
        found._catch_up()
        return found

    def park(self, *, lease: float | None = None) -> None:
        """Let go of the transaction's lock between two pieces of work on it; memory is kept.

        With `lease` it counts as alive for so many seconds more, then recovery rolls it back.

        Raises:
            DiskFull, WriteFailed: The storage refused.
        """
        self._refuse_closed()
        self._refuse_unkeepable(None)
        if not self.prepared and (self._draft.metadata != self._noted_metadata or self.provenance):
            self._note_metadata()
        if lease is not None:
            self.area.write_lease(lease)
        self._read_to = self.area.journal_size()
        self.area.pause()

    def unpark(self) -> None:
        """Take the lock again and take in what other processes did meanwhile.

        Raises:
            TransactionBusy: Somebody else is working on it at this moment.
            LeftoverNotFound: It was closed meanwhile, or it expired.
        """
        self._refuse_closed()
        self.area.retake()
        self._catch_up()

    def _catch_up(self) -> None:
        size = self.area.journal_size()
        if size == self._read_to:
            return  # nobody else did anything
        rebuilt = Rebuilt(self._draft, self.context.config.digests[0], self._writer.staged, self.provenance)
        rebuilt.follow(self.area, self._read_to)
        self._read_to = self.area.journal_size()
        self._noted_metadata = copy.deepcopy(self._draft.metadata)

    def _examine(self) -> CheckReport | None:
        """Have the checks look at what is to be committed; what they refuse ends the transaction.

        Where they could not tell, the transaction stays open, and may be committed later.
        """
        try:
            return examine(self.context, self.area, self._draft, self._writer.staged)
        except BadInput as error:
            if not error.outage:
                self._closed = "rolled back"
                with contextlib.suppress(StorageError):
                    self.area.discard()
            raise

    def _parity_ahead(self, progress: Progress) -> ParityAhead | None:
        if self._protected:
            return None
        from muniment.archive.parity.ahead import ParityAhead  # which a start without it need not wait for

        root = self.context.layout.object(self.project, self.id)
        return ParityAhead(self.context, root, self.number, progress=progress)

    def place_parity(self) -> None:
        """Put the parity in place that was made before the flush."""
        # What is not in its place now is made by `_protect`, or is told of there.
        with contextlib.suppress(MunimentError, OSError):
            self._protected = self._protected or (self._ahead is not None and self._ahead.place())

    def _protect(self, progress: Progress) -> None:
        # The instance is committed whatever happens here: parity can be made at any later time.
        from muniment.archive.parity.protect import protect

        try:
            protect(self.context, self.context.layout.object(self.project, self.id), self.number, progress=progress)
        except (MunimentError, OSError) as error:
            self.unprotected = str(error)
            detail = {"note": "no parity was made", "reason": self.unprotected}
            failed = Event("creation", str(self.context.agent), self.project, self.id, self.number, "failure", detail)
            with contextlib.suppress(MunimentError):
                self.context.log.append([failed])

    def _instance(self, number: int, inventory: Inventory | None = None) -> Instance:
        if self.context.home is not None:
            return self.context.home.published(self.project, self.id, number)
        # Read again rather than kept all the while: of a resource of many files it takes much memory.
        root = self.context.layout.object(self.project, self.id)
        try:
            known = inventory or newest_inventory(root, self.context.config.digests[0])[0]
        except FileNotFoundError:
            raise ResourceNotFound(id=self.id) from None
        return Instance(root, self.project, self.id, known, number)

    def _changed(self) -> bool:
        return self._draft.touched or bool(self.provenance) or self._draft.metadata != self._metadata_before

    def _note_metadata(self) -> None:
        self.area.note({"metadata": self._draft.metadata, "provenance": self.provenance})
        self._noted_metadata = copy.deepcopy(self._draft.metadata)

    def _refuse_closed(self) -> None:
        if self._closed:
            raise TransactionClosed(id=self.id, how=self._closed)

    def _refuse_unkeepable(self, message: str | None) -> None:
        """Refuse what is said about the instance where it could not be written, or not read back by all."""
        if message is not None:
            check_text(message, "the message")
        check_object(self._draft.metadata, "the metadata")
        check_json(self.provenance, "the provenance")

    def _refuse_unless_open(self) -> None:
        self._refuse_closed()
        if self.prepared:
            raise TransactionClosed(id=self.id, how="prepared")

    def _take(
        self,
        source: Addable,
        path: str | None,
        digests: Expected,
        modified: str | None,
        exclude: Exclusions | None,
        progress: Progress,
        *,
        replace: bool,
    ) -> list[Entry]:
        self._refuse_unless_open()
        modified = check_time(modified, "the time of change") if modified else None
        if isinstance(source, (str, os.PathLike)):
            place = os.fspath(source)
            if os.path.isdir(place):
                refuse_for_folder(place, digests, modified)
                return self._take_folder(place, path, exclude, progress, replace=replace)
            name = self._check(path if path is not None else own_name(source), replace=replace)
            refuse_special(place)
            return [self._store(self._writer.file(name, place, parse_expected(digests), modified))]
        name = self._check(path if path is not None else own_name(source), replace=replace)
        chunks = (source,) if isinstance(source, (bytes, bytearray)) else source
        entry = self._writer.stream(name, chunks, parse_expected(digests), modified)
        with self._lock:
            # Looked at again: meanwhile another thread may have added what this one would collide with.
            self._draft.check_new(name, replace=replace)
            return [self._store(entry)]

    def _take_folder(
        self, place: str, path: str | None, exclude: Exclusions | None, progress: Progress, *, replace: bool
    ) -> list[Entry]:
        prefix = f"{LogicalPath.parse(path)}/" if path else ""
        self._refuse_archive(place)
        found = walk(place, prefix, exclude)
        self._writer.expect(len(found.files))
        for name, _, _ in found.files:
            self._check(name, replace=replace)
        for link, target in found.links.items():
            self._draft.check_above(keepable(link))
            check_target(target, link)
        for folder in found.empty:
            self._draft.check_folder(keepable(folder))
        before = self._draft.state_of(name for name, _, _ in found.files)
        entries: list[Entry] = []
        try:
            entries.extend(self._store_all(self._writer.files(found.files, progress)))
        except BaseException:
            # Half a folder must not be committed by somebody who catches this and goes on.
            self._go_back(before, entries)
            raise
        if found.links or found.empty:
            self._draft.note(found.links, found.empty)
            self.area.note({"links": found.links, "folders": found.empty})
        if found.left_out:
            self.note_left_out(found.left_out)
        return entries

    def _refuse_archive(self, place: str) -> None:
        archive, real = os.path.realpath(self.context.layout.root), os.path.realpath(place)
        if os.path.commonpath((archive, real)) == real:
            raise ArchiveInside(path=place, archive=archive)

    def _store_all(self, stored: Iterator[Entry]) -> Iterator[Entry]:
        """As `_store`, with a line of the journal for each but one write for many."""
        lines: list[dict[str, Any]] = []
        try:
            for entry in stored:
                self._draft.put(entry)
                lines.append(addition(entry, self._staged(entry)))
                if len(lines) >= _LINES_AT_ONCE:
                    self.area.note(*lines)
                    lines.clear()
                yield entry
        finally:
            self.area.note(*lines)

    def _go_back(self, before: Kept, stored: list[Entry]) -> None:
        self._draft.go_back(before)
        with contextlib.suppress(StorageError):
            for entry in stored:
                self.area.note({"delete": entry.path})
                old = before.entries.get(entry.path)
                if old:
                    self.area.note(addition(old, self._staged(old)))

    def _staged(self, entry: Entry) -> str | None:
        return self._writer.staged.get(entry.digests[self.context.config.digests[0]])

    def _check(self, path: str, *, replace: bool) -> LogicalPath:
        name = keepable(path)
        self._draft.check_new(name, replace=replace)
        return name

    def _store(self, entry: Entry) -> Entry:
        self._draft.put(entry)
        self.area.note(addition(entry, self._staged(entry)))
        return entry
