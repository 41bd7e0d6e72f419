"""What a transaction is, wherever its archive lies: an instance that is being built."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from muniment.content.entries import Entry
from muniment.content.instance import Instance
from muniment.content.progress import Progress, quiet

if TYPE_CHECKING:
    from muniment.content.exclusions import Exclusions, LeftOut


class Readable(Protocol):
    """Something to read bytes from: an open file, a stream, an answer."""

    def read(self, size: int, /) -> bytes | bytearray:
        """The next bytes, at most `size` of them; none at the end."""


Addable = str | os.PathLike[str] | bytes | Readable | Iterable[bytes]
"""What `add` takes: a file's or folder's path, bytes, an open file, or an iterator of bytes."""

Expected = str | Iterable[str] | Mapping[str, str] | None
"""Digests that a file must have: `sha256:…`, several of these, or algorithm to hexadecimal digest."""


class Transaction(Protocol):
    """A new instance of a resource in the making.

    As a context manager it commits on a clean exit and rolls back on an exception. Bytes and streams may
    be added by several threads at once, each with a path of its own.
    """

    @property
    def id(self) -> str:
        """The resource."""

    @property
    def project(self) -> str:
        """The project the resource is in."""

    @property
    def number(self) -> int:
        """The number the instance will have."""

    @property
    def transaction(self) -> str:
        """The transaction's own id; it becomes the instance's identifier."""

    @property
    def prepared(self) -> bool:
        """Whether it waits for the decision about its group (`prepare`)."""

    @property
    def unprotected(self) -> str:
        """Why what was committed has no parity, where it could not be made; a server makes it by itself."""

    @property
    def metadata(self) -> dict[str, object]:
        """What is said about the instance: JSON data, to be changed in place."""

    @property
    def provenance(self) -> list[object]:
        """The instances this one is made from: JSON data, to be changed in place."""

    def __enter__(self) -> Self:
        """Use the transaction in a `with` block."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit on a clean exit, roll back on an exception; closed by hand before is fine."""

    def __iter__(self) -> Iterator[str]:
        """The paths the instance would have now."""

    def __contains__(self, path: object) -> bool:
        """Whether the instance would have this file now."""

    def files(self) -> Iterator[Entry]:
        """Every entry the instance would have now, sorted by path."""

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
            DigestMismatch: The file has another digest; it was refused.
            SourceUnreadable, SourceChanged, NotAPlainFile, NameNotUnicode: The source cannot be taken whole as it is.
            DiskFull, WriteFailed, ServerUnreachable, TransferCut: It could not be stored.
            TransactionClosed: The transaction is over.
        """

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

    def delete(self, path: str) -> list[str]:
        """Leave a file, or a folder and all below it, out of the new instance; earlier ones keep it.

        Raises:
            FileNotInInstance: There is no such file or folder.
            TransactionClosed: The transaction is over.
        """

    def note_links(self, links: Mapping[str, str], folders: Iterable[str]) -> None:
        """Record links as links (path to target) and folders with nothing in them, as `add` does for a folder.

        Raises:
            UnsafePath, PathTaken, PathCollides: One of them cannot be there.
            TransactionClosed: The transaction is over.
        """

    def note_left_out(self, left_out: Iterable[LeftOut]) -> None:
        """Record what was not taken in and by which rule, as `add` does for a folder.

        Raises:
            BadValue: Something of it cannot be kept.
            TransactionClosed: The transaction is over.
        """

    def commit(self, *, message: str | None = None, progress: Progress = quiet) -> Instance:
        """Publish the new instance and return it; on return it is on stable storage, with its event.

        A transaction in which nothing was done to an existing resource publishes nothing and returns
        the instance it began on.

        Raises:
            StaleTransaction, ResourceExists: Somebody else was first; nothing was published.
            DiskFull, WriteFailed: The storage refused; the transaction is rolled back.
            TransactionClosed: The transaction is over.
        """

    def rollback(self) -> None:
        """Undo everything: the archive is as it was before the transaction.

        Raises:
            TransactionClosed: The transaction is over.
        """

    def prepare(self, group: str, decided_at: str) -> None:
        """Make everything ready, so that `commit` cannot fail for want of room or by somebody else's commit.

        `group` is the id of the transactions that belong together, `decided_at` the id of the archive
        that records the decision. A prepared transaction takes nothing more in and does not expire.

        Raises:
            StaleTransaction, ResourceExists, ResourceReserved: Somebody else was first.
            DiskFull, WriteFailed: The storage refused; the transaction is as before.
        """

    def leave(self) -> None:
        """Let go of the transaction as it is: to be resumed, replayed or rolled back later.

        Raises:
            TransactionClosed: The transaction is over.
        """

    def park(self, *, lease: float | None = None) -> None:
        """Let go of the transaction between two pieces of work on it, for others to go on with.

        With `lease` it counts as alive for so many seconds more, then it is rolled back; a server has a
        lease of its own.

        Raises:
            TransactionClosed: The transaction is over.
        """

    def unpark(self) -> None:
        """Take a parked transaction up again, with what others did meanwhile.

        Raises:
            TransactionBusy: Somebody else is working on it at this moment.
            LeftoverNotFound: It was closed meanwhile, or it expired.
            TransactionClosed: It was closed here.
        """


def names_part(decision: Mapping[str, Any] | None, transaction: str) -> bool:
    """Whether a decision about a group says of this transaction that it is to be committed."""
    return decision is not None and any(part.get("transaction") == transaction for part in decision.get("parts", []))
