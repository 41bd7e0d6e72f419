"""What an archive is, in a folder or behind a server: the one type by which all parts pass it on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol, Self, overload

from muniment.content.config import ArchiveConfig
from muniment.content.events import Event, Head
from muniment.content.findings import Finding
from muniment.content.instance import Instance
from muniment.content.progress import Progress, quiet
from muniment.content.transaction import Transaction

Start = str | float | datetime | None
"""A place in the log: an event's number, an ISO 8601 time or a Unix time; None is the beginning."""

PackageForm = Literal["tar", "zip"]
"""How a package is packed as one file."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A resource in a list: its newest instance's number, files and bytes.

    `audited` is when its content was last audited, '' for never; `damaged` whether that found something wrong.
    """

    project: str
    id: str
    head: int
    created: str
    modified: str
    files: int
    bytes: int
    audited: str = ""
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Leftover:
    """A transaction somebody began and never closed; `files` is how many it had stored.

    One that was prepared as part of a `group` says which archive (`decided_at`) knows the decision.
    """

    transaction: str
    project: str
    id: str
    base: int
    started: str
    files: int
    agent: str
    group: str = ""
    decided_at: str = ""


@dataclass(frozen=True, slots=True)
class Repair:
    """What became of one place: `repaired`, or not; `how` it was done, or why it could not be.

    `repaired` is said only after another look found nothing wrong there any more.
    """

    where: str
    repaired: bool
    how: str
    instance: str = ""
    resource: str = ""


def _missing(archive: object) -> TypeError:
    """The error for what a kind of archive was not given."""
    return TypeError(f"{type(archive).__qualname__} is only a part of an archive; open it as muniment.Archive")


class Archive(Protocol):
    """A digital archive. Any number of threads and processes may use one.

    As a context manager it lets go of what it holds; what was committed is safe without that.
    """

    # Each body below refuses instead of being empty. With empty ones type checkers would take `muniment.Archive`,
    # which is made from this and opened by calling it, for abstract.

    @property
    def path(self) -> Path | str:
        """Where it is: its folder, or its server's address."""
        raise _missing(self)

    @property
    def config(self) -> ArchiveConfig:
        """Its settings."""
        raise _missing(self)

    @property
    def recovered(self) -> Sequence[Event]:
        """What recovery did when it was opened here; a server's archive is recovered by its server."""
        raise _missing(self)

    def __enter__(self) -> Self:
        """Use the archive in a `with` block."""
        raise _missing(self)

    def __exit__(self, *_: object) -> None:
        """Let go of it."""
        raise _missing(self)

    def __iter__(self) -> Iterator[str]:
        """The ids of all resources, sorted."""
        raise _missing(self)

    def __len__(self) -> int:
        """How many resources there are, of those one may read."""
        raise _missing(self)

    def __bool__(self) -> bool:
        """True, also of an archive with nothing in it."""
        raise _missing(self)

    def __getitem__(self, id: str) -> Instance:
        """The newest instance of a resource.

        Raises:
            ResourceNotFound, ResourcePurged, AmbiguousId: As `get`.
        """
        raise _missing(self)

    def __contains__(self, resource: object) -> bool:
        """Whether there is a resource with this id, in whatever project."""
        raise _missing(self)

    def close(self) -> None:
        """Let go of what it holds: index and digesting processes, or connections."""
        raise _missing(self)

    # --- reading

    @overload
    def get(
        self, id: str, mode: Literal["r"] = "r", instance: str | int | None = None, *, project: str | None = None
    ) -> Instance: ...

    @overload
    def get(
        self, id: str, mode: Literal["a", "t"], instance: None = None, *, project: str | None = None, message: str = ""
    ) -> Transaction: ...

    def get(
        self,
        id: str,
        mode: Literal["r", "a", "t"] = "r",
        instance: str | int | None = None,
        *,
        project: str | None = None,
        message: str = "",
    ) -> Instance | Transaction:
        """A resource's newest instance, an earlier one, or a transaction for the next one.

        `mode` is 'r' to read, 'a' or 't' for a transaction. `instance` is a number, 'v1', or an
        instance's identifier.

        Raises:
            ResourceNotFound, ResourcePurged: There is no such resource; nothing is made.
            InstanceNotFound: It has no such instance.
            AmbiguousId: Several projects use the id and none was named.
        """
        raise _missing(self)

    def instance(self, id: str, instance: str | int | None = None, *, project: str | None = None) -> Instance:
        """A resource's newest instance, or an earlier one by number, as 'v1', or by its identifier.

        Raises:
            MunimentError: As `get`.
        """
        raise _missing(self)

    def exists(self, id: str, project: str | None = None) -> bool:
        """Whether there is such a resource; without `project`, in whatever project."""
        raise _missing(self)

    def history(self, id: str, project: str | None = None) -> Sequence[Instance]:
        """Every instance of a resource, the oldest first.

        Raises:
            ResourceNotFound, ResourcePurged, AmbiguousId: As `get`.
        """
        raise _missing(self)

    def resources(
        self,
        project: str | None = None,
        *,
        after: str | tuple[str, str] = "",
        limit: int | None = None,
        skip: int = 0,
        whole: bool = False,
    ) -> Iterator[Summary]:
        """Resources in the order of their ids, with what a list shows of each.

        `after` is the last id of the page before (with its project, if ids repeat across projects);
        `skip` is how many of those that follow are passed over. With `whole` the index is compared with the
        objects on disk first, and built anew where it differs: for whoever must leave none behind.

        Raises:
            DamagedRecord: With `whole`, an object on disk cannot be listed, as its records cannot be read.
        """
        raise _missing(self)

    def summary(self, id: str, project: str | None = None) -> Summary:
        """One resource as a list shows it, with when it was last audited.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
        """
        raise _missing(self)

    def projects(self) -> list[str]:
        """Every project that holds a resource, of those one may read."""
        raise _missing(self)

    def count(self, project: str | None = None) -> int:
        """How many resources there are, in one project or in all, of those one may read."""
        raise _missing(self)

    def events(self, start: Start = None, *, live: bool = False) -> Iterator[Event]:
        """The log, oldest event first: those strictly after `start`. With `live` it goes on as events come.

        `start` is an event's number, an ISO 8601 time, or a Unix time (whole numbers below
        1,000,000,000 are event numbers).

        Raises:
            BadTime: `start` is none of these.
            DamagedRecord: A line of the log is not an event.
        """
        raise _missing(self)

    def head(self) -> Head:
        """How far the log reaches now. Noted down elsewhere, it tells later whether anything before it was changed."""
        raise _missing(self)

    def record_event(
        self,
        event: str,
        *,
        resource: str = "",
        project: str = "",
        instance: int = 0,
        outcome: Literal["success", "failure"] = "success",
        detail: Mapping[str, object] | None = None,
    ) -> Event:
        """Write an event of one's own into the log, about a resource or about none; `event` is a PREMIS event type.

        Raises:
            BadInput: It is of a type that the archive itself writes.
            ResourceNotFound, AmbiguousId: There is no such resource.
            DiskFull, WriteFailed: The storage refused.
        """
        raise _missing(self)

    # --- writing

    def new(self, id: str | None = None, project: str | None = None, *, message: str = "") -> Transaction:
        """Begin a new resource; its id is a UUIDv7 unless one is given.

        Raises:
            BadId, BadProject: They cannot be used.
            ResourceExists, ResourcePurged: The id is taken.
            DiskFull, WriteFailed: The storage refused.
        """
        raise _missing(self)

    def purge(self, id: str, reason: str, project: str | None = None) -> Event:
        """Remove a resource for ever; only in dynamic mode.

        Raises:
            NotAllowedInMode, ReasonNeeded, ResourceNotFound: It was not done.
        """
        raise _missing(self)

    # --- packages

    def export(
        self,
        id: str,
        layout: str,
        write: Callable[[bytes], object],
        *,
        project: str | None = None,
        instance: str | int | None = None,
        form: PackageForm = "tar",
        progress: Progress = quiet,
    ) -> tuple[int, str]:
        """Hand the tar or zip of a resource to `write`, piece by piece; its length in bytes and its sha256.

        `layout` is 'bag' or 'ro-crate' (one instance), 'instances' or 'ocfl' (the whole history). Every file is checked
        on its way.

        Raises:
            UnknownLayout, BadInput: There is no such layout, or it cannot leave instances out.
            ResourceNotFound, InstanceNotFound, AmbiguousId: As `get`.
            MemberDamaged, MemberUnreadable, TransferCut: It ended early, because a file is damaged or cannot be had.
        """
        raise _missing(self)

    def import_package(
        self,
        source: Iterable[bytes],
        *,
        id: str | None = None,
        project: str | None = None,
        staged: bool = False,
        name: str = "",
        notice: Callable[[Finding], None] | None = None,
        progress: Progress = quiet,
    ) -> list[str]:
        """Import the tar or zip of a package as new resources and return their ids. Warnings about it go to `notice`.

        `name` is what the package is called in them and in the log. With `staged`, what an OCFL object holds staged
        (extension 0005) becomes its newest instance.

        Raises:
            PackageRefused: It is damaged, not valid, or could do harm; nothing was taken in.
            ResourceExists, ResourcePurged: An id is taken; nothing was taken in.
            BadInput: It is empty, or one id was given for several resources.
            DiskFull, WriteFailed, ServerUnreachable, TransferCut: It did not get through.
        """
        raise _missing(self)

    def validate(self, id: str | None = None, project: str | None = None) -> Iterator[Finding]:
        """Judge the archive, or the OCFL object of one resource, by the rules of OCFL alone.

        It says what any validator of others would have to say; whether the bytes are those that came in, `audit` says.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
            MemberDamaged, MemberUnreadable, TransferCut: It is not in a folder here, and cannot be given out.
        """
        raise _missing(self)

    def premis(
        self, id: str, write: Callable[[bytes], object], *, project: str | None = None, mets: bool = False
    ) -> tuple[int, str]:
        """Hand PREMIS 3 XML of a resource to `write`, piece by piece; its length in bytes and its sha256.

        It tells of the resource's objects with their fixity and format, of every event about it, of agents
        and rights. With `mets` it comes in a METS document. A resource that was purged has its events still.

        Raises:
            ResourceNotFound, AmbiguousId: There is no such resource.
            DamagedRecord, ReadFailed, TransferCut: It ended early, because a record cannot be had.
        """
        raise _missing(self)

    # --- unfinished transactions

    def resume(self, transaction: str) -> Transaction:
        """Go on with a transaction that was parked or left, here or elsewhere.

        Raises:
            LeftoverNotFound: There is none such, or it expired.
            TransactionBusy: Somebody is working on it at this moment.
            TransactionForbidden: Somebody else began it.
        """
        raise _missing(self)

    def leftovers(self) -> list[Leftover]:
        """Transactions that were never closed and that nobody holds."""
        raise _missing(self)

    def replay(self, transaction: str) -> Instance:
        """Commit a transaction that was left behind, with the files it had stored by then.

        Where somebody else began it, its event names both.

        Raises:
            LeftoverNotFound, LeftoverIncomplete: It cannot be done.
        """
        raise _missing(self)

    def roll_back(self, transaction: str) -> None:
        """Remove a transaction that was left behind.

        Raises:
            LeftoverNotFound: There is none such.
        """
        raise _missing(self)

    def recover(self) -> list[Event]:
        """Finish what a crash left; opening the archive does the same, and a server now and then."""
        raise _missing(self)

    def decide(self, group: str, parts: Sequence[Mapping[str, str]]) -> None:
        """Record that all prepared transactions of a group are to be committed (`Transaction.prepare`).

        Each of `parts` names an `archive` and a `transaction`.

        Raises:
            DiskFull, WriteFailed: The storage refused: nothing is decided.
        """
        raise _missing(self)

    def decision(self, group: str) -> dict[str, Any] | None:
        """What was decided here about a group, or None."""
        raise _missing(self)

    def forget(self, group: str) -> None:
        """Remove a decision all of whose parts are committed."""
        raise _missing(self)

    # --- fixity

    def audit(
        self,
        id: str | None = None,
        *,
        project: str | None = None,
        fast: bool = False,
        every_digest: bool = False,
        resume: bool = False,
        since: Head | None = None,
        progress: Progress = quiet,
    ) -> Iterator[Finding]:
        """Check that everything recorded is there and right, and record in the log that this was done.

        Without `id` the whole archive. `fast` looks at names and sizes only; `every_digest` compares all
        recorded digests instead of sha256 alone. With `resume` an audit of the whole archive that was
        broken off goes on where it was. With `since`, a `head` that was noted down elsewhere, it also
        proves that no event up to there was changed.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
            WorkerDied, TransferCut: It was broken off before its end; resume.
        """
        raise _missing(self)

    def repair(
        self, id: str | None = None, *, project: str | None = None, progress: Progress = quiet
    ) -> Iterator[Repair]:
        """Repair what an audit finds, from parity; says of each place what was done.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
            DiskFull, WriteFailed: The storage refused.
        """
        raise _missing(self)

    def protect(self, id: str, project: str | None = None, *, progress: Progress = quiet) -> int:
        """Make the parity a resource's instances lack; returns how many sets were made.

        Raises:
            ResourceNotFound, AmbiguousId: As `get`.
            ParityNotMade, ParityToolFailed: It could not be made.
            DiskFull, WriteFailed: The storage refused.
        """
        raise _missing(self)

    def reindex(self, progress: Progress = quiet) -> int:
        """Build the index anew from the objects on disk; returns how many resources there are."""
        raise _missing(self)
