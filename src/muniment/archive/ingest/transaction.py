"""A transaction: an instance that is being built, until it commits or rolls back."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from muniment.archive.context import ArchiveContext
from muniment.archive.ingest.commit import abandon, publish, seal
from muniment.archive.ingest.content_writer import ContentWriter, known_content
from muniment.archive.ingest.draft import Draft
from muniment.archive.ingest.journal import Rebuilt
from muniment.archive.ingest.staging import StagingArea, TransactionRecord
from muniment.archive.ingest.taking import Taking
from muniment.archive.ingest.two_phase import reserve, unreserve
from muniment.archive.package.instance import Instance
from muniment.archive.package.inventory import Inventory
from muniment.archive.package.objects import newest_inventory
from muniment.content import Entry, Progress, quiet
from muniment.content.events import Event
from muniment.content.identity import new_uuid
from muniment.content.times import now
from muniment.errors.archive import ResourceNotFound
from muniment.errors.base import MunimentError, StorageError


class Transaction(Taking):
    """A new instance of a resource in the making.

    As a context manager it commits on a clean exit and rolls back on an exception. Without one it
    stays until `commit()` or `rollback()`, and is reported as left over if the process ends first.
    """

    def __init__(self, context: ArchiveContext, space: StagingArea, draft: Draft, base: Instance | None) -> None:
        held = base.held() if base else set()
        known = known_content(draft.entries.values(), context.config.digests[0])
        super().__init__(context, space, draft, ContentWriter(context.copier, space, known, held))
        self.project = space.transaction_record.project
        self.provenance: list[Any] = []
        self._metadata_before = copy.deepcopy(draft.metadata)
        self._noted_metadata = self._metadata_before
        self._read_to = 0

    @classmethod
    def begin(cls, context: ArchiveContext, project: str, resource: str, base: Instance | None, message: str) -> Self:
        """Open a transaction on `base`, or for a new resource where that is None.

        Raises:
            DiskFull, WriteFailed: The storage refused.
        """
        transaction_record = TransactionRecord(
            transaction=new_uuid(),
            project=project,
            id=resource,
            base=base.number if base else 0,
            started=now(),
            agent_name=context.agent.name,
            agent_address=context.agent.address,
            message=message,
            log=context.log.head(),
        )
        draft = Draft(base.files(), base.record) if base else Draft()
        return cls(context, StagingArea.begin(context.layout, transaction_record), draft, base)

    def __enter__(self) -> Self:
        """Use the transaction in a `with` block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit on a clean exit, roll back on an exception; closed by hand before is fine."""
        if self._closed:
            return
        if kind is None:
            self.commit()
        else:
            self.rollback()

    def __iter__(self) -> Iterator[str]:
        """The paths the instance would have now."""
        return iter([entry.path for entry in self._draft])

    def __contains__(self, path: object) -> bool:
        """Whether the instance would have this file now."""
        return path in self._draft.entries

    @property
    def transaction(self) -> str:
        """The transaction's own id; it becomes the instance's identifier."""
        return self._space.transaction_record.transaction

    @property
    def metadata(self) -> dict[str, Any]:
        """What is said about the instance: JSON data, to be changed in place."""
        return self._draft.metadata

    def files(self) -> Iterator[Entry]:
        """Every entry the instance would have now, sorted by path."""
        return iter(list(self._draft))

    def commit(self, *, message: str | None = None, progress: Progress = quiet) -> Instance:
        """Publish the new instance and return it.

        On return it is on stable storage with its event, and its parity is made; if that fails, an
        event says so and `repair` makes it. A transaction in which nothing was done to
        an existing resource publishes nothing and returns the instance it began on.

        Raises:
            StaleTransaction, ResourceExists: Somebody else was first; nothing was published.
            DiskFull, WriteFailed: The storage refused; the transaction is rolled back.
            TransactionClosed: The transaction is over.
        ResourceNotFound: Nothing was done, and somebody purged the resource meanwhile.
        """
        self._refuse_closed()
        if message and not self.prepared:
            self._space.restate(message)
        base = self._space.transaction_record.base
        if base and not self._changed() and not self.prepared:
            self.rollback()
            self._closed = "committed"
            return self._instance(base)
        inventory: Inventory | None = None
        try:
            if not self.prepared:
                inventory = seal(self._context, self._space, self._draft, self._writer.staged, self.provenance)
            publish(self._context, self._space)
        except BaseException:
            self._closed = "rolled back"
            if self.prepared:
                # It may have been decided that it be committed: only a replay or a rollback settles that.
                self._space.release()
            else:
                abandon(self._space)
            raise
        self._closed = "committed"
        if self.prepared:
            unreserve(self._context, self._space.transaction_record)
        self._protect(progress)
        return self._instance(self.number, inventory)

    def rollback(self) -> None:
        """Undo everything: the archive is as it was before the transaction.

        Raises:
            TransactionClosed: The transaction is over.
            WriteFailed: The storage refused to remove what was staged; recovery does it.
        """
        self._refuse_closed()
        self._closed = "rolled back"
        if self.prepared:
            unreserve(self._context, self._space.transaction_record)
        self._space.discard()

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
        reserve(self._context, self._space)
        try:
            waiting = {"group": group, "decided at": decided_at}
            seal(self._context, self._space, self._draft, self._writer.staged, self.provenance, waiting)
        except BaseException:
            with contextlib.suppress(StorageError):
                self._space.unseal()
            with contextlib.suppress(StorageError):
                unreserve(self._context, self._space.transaction_record)
            raise
        self.prepared = True

    def leave(self) -> None:
        """Let go of the transaction as it is, to be replayed or rolled back later."""
        self.park()
        self._closed = "left"

    @classmethod
    def resume(cls, context: ArchiveContext, space: StagingArea, base: Instance | None) -> Self:
        """A transaction that was parked, built again from its journal.

        Raises:
            DamagedRecord: The journal cannot be read.
        """
        draft = Draft(base.files(), base.record) if base else Draft()
        found = cls(context, space, draft, base)
        found._catch_up()
        return found

    def park(self, *, lease: float | None = None) -> None:
        """Let go of the transaction's lock between two pieces of work on it; memory is kept.

        With `lease` it counts as alive for so many seconds more, then recovery rolls it back.

        Raises:
            DiskFull, WriteFailed: The storage refused.
        """
        self._refuse_closed()
        if not self.prepared and (self._draft.metadata != self._noted_metadata or self.provenance):
            self._note_metadata()
        if lease is not None:
            self._space.write_lease(lease)
        self._read_to = self._space.journal_size()
        self._space.release()

    def unpark(self) -> None:
        """Take the lock again and take in what other processes did meanwhile.

        Raises:
            TransactionBusy: Somebody else is working on it at this moment.
            LeftoverNotFound: It was closed meanwhile, or it expired.
        """
        self._refuse_closed()
        self._space.retake()
        self._catch_up()

    def _catch_up(self) -> None:
        rebuilt = Rebuilt(self._draft, self._context.config.digests[0], self._writer.staged, self.provenance)
        for note in self._space.notes(self._read_to):
            rebuilt.apply(note)
        self._read_to = self._space.journal_size()
        self._noted_metadata = copy.deepcopy(self._draft.metadata)

    def _protect(self, progress: Progress) -> None:
        # The instance is committed whatever happens here: parity can be made at any later time.
        if not self._context.parity:
            return
        from muniment.archive.parity.protect import protect

        try:
            protect(self._context, self._context.layout.object(self.project, self.id), self.number, progress=progress)
        except MunimentError as error:
            detail = {"note": "no parity was made", "reason": str(error)}
            agent = f"{self._context.agent.name} <{self._context.agent.address}>"
            failed = Event("creation", agent, self.project, self.id, self.number, "failure", detail)
            with contextlib.suppress(StorageError):
                self._context.log.append([failed])

    def _instance(self, number: int, inventory: Inventory | None = None) -> Instance:
        # Read again rather than kept all the while: of a resource of many files it takes much memory.
        root = self._context.layout.object(self.project, self.id)
        try:
            known = inventory or newest_inventory(root, self._context.config.digests[0])[0]
        except FileNotFoundError:
            raise ResourceNotFound(id=self.id) from None
        return Instance(root, self.project, self.id, known, number)

    def _changed(self) -> bool:
        return self._draft.touched or bool(self.provenance) or self._draft.metadata != self._metadata_before

    def _note_metadata(self) -> None:
        self._space.note({"metadata": self._draft.metadata, "provenance": self.provenance})
        self._noted_metadata = copy.deepcopy(self._draft.metadata)
