"""The object a repair is about: where it is, whose it is, and what the log vouches for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from muniment.archive.context import ArchiveContext
from muniment.archive.fixity.audit.log import LoggedDigests
from muniment.archive.ingest.repair_transaction import RepairTransaction, Subject
from muniment.archive.package.objects import identity_of
from muniment.content import Finding
from muniment.content.archive import Repair
from muniment.errors.archive import DiskFull
from muniment.errors.base import MunimentError


@dataclass(frozen=True, slots=True)
class DamagedObject:
    """One object under repair."""

    context: ArchiveContext
    root: Path
    project: str
    resource: str
    logged: LoggedDigests

    @classmethod
    def of(cls, context: ArchiveContext, root: Path, logged: LoggedDigests) -> DamagedObject:
        """The object at `root`; whose it is may be unknown where all its records are lost."""
        return cls(context, root, *identity_of(root, context.config.digests[0]), logged)

    @property
    def algorithm(self) -> str:
        """The digest its inventory names content by."""
        return self.context.config.digests[0]

    def where(self, name: str) -> str:
        """A place in the object, as findings write it."""
        return f"{self.root.relative_to(self.context.layout.root)}/{name}"

    def replacement(self, version: int, note: str) -> RepairTransaction:
        """Begin to replace files that came with a version.

        Raises:
            DiskFull, WriteFailed: The storage refused.
        """
        subject = Subject(self.root, self.project, self.resource, version)
        return RepairTransaction.begin(self.context, subject, note)


def attempt(work: Callable[[], str]) -> str:
    """What `work` says was done, or why it could not be.

    Raises:
        DiskFull: There is no room: nothing further can be repaired either.
    """
    try:
        return work()
    except DiskFull:
        raise
    except MunimentError as error:
        return error.message


def left_as_it_is(finding: Finding, why: str = "") -> Repair:
    """That nothing was done about a finding, or nothing that helped: `why`, or that there is no remedy."""
    how = why or f"repair has no remedy for this: {finding.message}"
    return Repair(finding.where, repaired=False, how=how, instance=finding.instance, resource=finding.resource)
