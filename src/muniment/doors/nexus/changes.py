"""Writes revisions as instances, by the rules that resources, files and projects share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from muniment.archive import Agent, Archive, Transaction
from muniment.doors.nexus.records import KEY, Records
from muniment.doors.nexus.revision import Revision
from muniment.doors.nexus.times import now
from muniment.errors.archive import ResourceExists, ResourcePurged, StaleTransaction
from muniment.errors.nexus import IdTaken, NotMadeHere, RevIsStale, RevNotThere, ThingIsDeprecated, ThingIsNotDeprecated

Fill = Callable[[Transaction, Revision], Revision]
"""Puts files into a transaction; gives the revision with what it learnt of them."""

MayRead = Callable[[str], bool]
"""Whether the caller may read what is in a project, `org/project`."""


def nowhere(_: str) -> bool:
    """May read no project but the one that is worked in."""
    return False


def untouched(_: Transaction, revision: Revision) -> Revision:
    """Change no file."""
    return revision


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change: the identity Nexus shows, as text, and the agent the archive's log names.

    `may_read` says in which other projects the contexts of a document are looked for.
    """

    identity: str
    agent: Agent
    may_read: MayRead = nowhere


@dataclass(frozen=True, slots=True)
class RevisionWriter:
    """Writes revisions into an archive."""

    archive: Archive
    records: Records
    changed: Callable[[str, str], None]
    """Is told project and id of each change."""

    def create(self, revision: Revision, fill: Fill, by: Actor, *, message: str) -> Revision:
        """Make something new, as revision 1.

        Raises:
            IdTaken: The project has something with this id.
            MunimentError: As `Archive.new` and `Transaction.commit`.
        """
        try:
            transaction = self.archive.acting_as(by.agent).new(revision.id, revision.project, message=message)
        except (ResourceExists, ResourcePurged):
            raise IdTaken(id=revision.iri, project=revision.project) from None
        moment = now()
        first = replace(
            revision,
            number=1,
            rev=1,
            created_at=moment,
            created_by=by.identity,
            updated_at=moment,
            updated_by=by.identity,
        )
        try:
            return self._publish(transaction, first, fill)
        except ResourceExists:
            raise IdTaken(id=revision.iri, project=revision.project) from None

    def revise(
        self,
        newest: Revision,
        rev: int | None,
        by: Actor,
        changes: Mapping[str, Any],
        fill: Fill = untouched,
        *,
        message: str,
    ) -> Revision:
        """Make the next revision, if `rev` is the newest one.

        Raises:
            RevIsStale: It is not, or somebody else was first.
            NotMadeHere: It is a package, which Nexus does not change.
            MunimentError: As `Archive.get` and `Transaction.commit`.
        """
        refuse_stale(newest, rev)
        if newest.is_package:
            raise NotMadeHere(id=newest.iri, project=newest.project)
        transaction = self.archive.acting_as(by.agent).get(newest.id, "a", project=newest.project, message=message)
        if transaction.number != newest.number + 1:
            transaction.rollback()
            raise RevIsStale(provided=rev, expected=newest.rev + 1)
        following = replace(
            newest, number=transaction.number, rev=newest.rev + 1, updated_at=now(), updated_by=by.identity, **changes
        )
        try:
            return self._publish(transaction, following, fill)
        except StaleTransaction:
            raise RevIsStale(provided=rev, expected=newest.rev + 1) from None

    def tag(self, newest: Revision, rev: int | None, by: Actor, tag: str, tagged: int) -> Revision:
        """Give a revision a name; naming is a revision itself.

        Raises:
            RevNotThere: There is no such revision to name.
            RevIsStale, NotMadeHere: As `revise`.
        """
        refuse_stale(newest, rev)
        if not 1 <= tagged <= newest.rev:
            raise RevNotThere(provided=tagged, current=newest.rev)
        tags = {**newest.tags, tag: tagged}
        return self.revise(newest, rev, by, {"tags": tags}, message=f"Tag revision {tagged} as {tag}")

    def untag(self, newest: Revision, rev: int | None, by: Actor, tag: str) -> Revision:
        """Take a name away.

        Raises:
            TagNotFound, RevIsStale, NotMadeHere: It cannot be done.
        """
        refuse_stale(newest, rev)
        self.records.at(newest, tag=tag)
        tags = {name: at for name, at in newest.tags.items() if name != tag}
        return self.revise(newest, rev, by, {"tags": tags}, message=f"Remove the tag {tag}")

    def deprecate(self, newest: Revision, rev: int | None, by: Actor) -> Revision:
        """Mark as no longer to be used; it stays, and can be read.

        Raises:
            ThingIsDeprecated: It is so already.
            RevIsStale, NotMadeHere: As `revise`.
        """
        refuse_stale(newest, rev)
        refuse_deprecated(newest)
        return self.revise(newest, rev, by, {"deprecated": True}, message="Deprecate")

    def undeprecate(self, newest: Revision, rev: int | None, by: Actor) -> Revision:
        """Take a deprecation back.

        Raises:
            ThingIsNotDeprecated: It is not deprecated.
            RevIsStale, NotMadeHere: As `revise`.
        """
        refuse_stale(newest, rev)
        if not newest.deprecated:
            raise ThingIsNotDeprecated(kind=_kind(newest), id=newest.iri)
        return self.revise(newest, rev, by, {"deprecated": False}, message="Undeprecate")

    def _publish(self, transaction: Transaction, revision: Revision, fill: Fill) -> Revision:
        try:
            filled = fill(transaction, revision)
            transaction.metadata[KEY] = filled.record()
        except BaseException:
            transaction.rollback()
            raise
        instance = transaction.commit()
        self.changed(revision.project, revision.id)
        return self.records.remember(instance, revision.iri)


def refuse_stale(newest: Revision, rev: int | None) -> None:
    """Refuse a change that is not based on the newest revision.

    Raises:
        RevIsStale: It is not.
    """
    if rev != newest.rev:
        raise RevIsStale(provided=rev, expected=newest.rev)


def refuse_deprecated(newest: Revision) -> None:
    """Refuse to change what is deprecated.

    Raises:
        ThingIsDeprecated: It is.
    """
    if newest.deprecated:
        raise ThingIsDeprecated(kind=_kind(newest), id=newest.iri)


def tagged(newest: Revision, tag: str | None) -> dict[str, Any]:
    """The change that names the revision after this one, if there is a tag."""
    return {"tags": {**newest.tags, tag: newest.rev + 1}} if tag else {}


def _kind(revision: Revision) -> str:
    return "File" if revision.is_file else "Resource"
