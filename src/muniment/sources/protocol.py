"""What a source is: pages of items, entries of an item, and a stream of each entry.

A source is read-only and never trusted. What it lists are values that can be written down (in a ledger) and
used by another process later: items, entries and cursors hold no secrets and no open connections.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol, runtime_checkable
from urllib.parse import quote

from muniment.content import Entry, LogicalPath
from muniment.errors.content import NameNotUnicode, UnsafePath
from muniment.errors.sources import FileError

ABOUT = "@about"
"""The folder of the documents a source makes itself: metadata as JSON, the history of a repository."""

VERSIONS = "@versions"
"""The folder of earlier versions: `@versions/<path>/<version>`, or `@versions/<version>/<path>` of the whole."""

_OURS = re.compile(r"@+(about|versions)")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing a source holds: a repository, an article, a slice of a bucket.

    `id` is the same whenever the source is read. `details` is JSON, what the source itself needs to list the
    item's entries later.
    """

    id: str
    title: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be taken, as the submitter is told: the file, why, and from which service."""

    file: str
    reason: str
    service: str

    def __post_init__(self) -> None:
        """Bytes that are no text are shown escaped: what is told has to be printable."""
        object.__setattr__(self, "file", self.file.encode("utf-8", "backslashreplace").decode())


@dataclass(frozen=True, slots=True)
class Page:
    """Some items, and the cursor that goes on after them; `after` is None on the last page."""

    items: tuple[Item, ...]
    after: str | None = None
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceEntry(Entry):
    """An entry with what its source needs to open it.

    `locator` is the source's own word for the content. `checks` are digests of kinds only that service uses
    (Dropbox's content hash, git's blob id). An earlier version names its `version` and the path it is a version `of`.
    The version that a file has at present, where the service numbers them, is its `present`.
    A description that the source writes itself is `made`: it is no file of the service. `original` is the name at the
    service where the path could not be the same; bytes of it that are no UTF-8 are lone surrogates.
    """

    locator: str = ""
    checks: Mapping[str, str] = field(default_factory=dict)
    version: str | None = None
    of: str | None = None
    present: str | None = None
    made: bool = False
    original: str | None = None


@runtime_checkable
class Source(Protocol):
    """Where material comes from.

    Credentials that are refused, things that are not there and services that fail are raised; a single file that
    cannot be had is a `Failure` in the listing, or a `FileError` from `open`, and the rest goes on.
    """

    @property
    def service(self) -> str:
        """The name of its kind, as in a submission: `github`."""

    @property
    def resource(self) -> str:
        """What was asked for, as it names the folder of a registration: repository, bucket, folder."""

    def pages(self, after: str | None = None) -> Iterator[Page]:
        """The items, from the beginning or after a cursor that an earlier page gave.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: The service failed.
        """

    def entries(self, item: Item) -> Iterator[SourceEntry | Failure]:
        """The files of one item, with size, digests and time as the service states them. No path comes twice.

        Raises:
            CredentialRefused, NotAtService: The submission has to change.
            RemoteError: The service failed.
        """

    def open(self, item: Item, entry: SourceEntry, offset: int = 0) -> BinaryIO:
        """The bytes of an entry from `offset` on; a cut connection is taken up again without the caller's help.

        Raises:
            FileError: This file cannot be had. Reading from the stream raises the same.
            CredentialRefused: The submission has to change.
            RemoteError: The service failed.
        """


def failure_of(error: FileError, file: str, service: str) -> Failure:
    """What the submitter is told of a file that could not be taken: the message without the file's name."""
    return Failure(file=file, reason=str(error).removeprefix(f"{error.details.get('path')}: "), service=service)


def safe_path(raw: str) -> LogicalPath:
    """A name a service gave, as a path of the package.

    What no path can carry is escaped step by step: an empty step is `%`, `.` and `..` are `%2E` and `%2E%2E`, and NUL
    and bytes that are no UTF-8 (lone surrogates, as from `os.fsdecode`) are percent-encoded. The two folders of our
    own are kept free: a file of the source at `@about/x` comes as `@@about/x`. Whoever makes an entry gives it the
    `original` name, so that the true one is kept too.
    """
    top = raw.partition("/")[0]
    path = f"@{raw}" if _OURS.fullmatch(top) else raw
    try:
        return LogicalPath.parse(path)
    except (UnsafePath, NameNotUnicode):
        return LogicalPath.parse("/".join(_carried(step) for step in path.split("/")))


def _carried(step: str) -> str:
    if step in {"", ".", ".."}:
        return segment(step)
    return "".join(
        "".join(f"%{byte:02X}" for byte in _bytes_of(each)) if each == "\0" or "\ud800" <= each <= "\udfff" else each
        for each in step
    )


def _bytes_of(character: str) -> bytes:
    """The byte that a lone surrogate stands for; of one that stands for none, its own."""
    escaped = "\udc80" <= character <= "\udcff"
    return character.encode("utf-8", "surrogateescape" if escaped else "surrogatepass")


def original_name(raw: str, path: str) -> str | None:
    """For `SourceEntry.original`: the name a service gave, where the path is another."""
    return None if raw == path else raw


def about(name: str) -> LogicalPath:
    """The path of a document the source makes itself."""
    return LogicalPath.parse(f"{ABOUT}/{name}")


def version_path(path: str, version: str) -> LogicalPath:
    """The path of an earlier version of `path`; the version's name is escaped to be one segment."""
    return LogicalPath.parse(f"{VERSIONS}/{path}/{segment(version)}")


def in_version(version: str, path: str) -> LogicalPath:
    """The path of a file of an earlier version of the whole: `@versions/<version>/<path>`."""
    return LogicalPath.parse(f"{VERSIONS}/{segment(version)}/{path}")


def segment(text: str) -> str:
    """Any text as one path segment, readable where it can be: everything but letters, digits and `-_.~ ` escaped."""
    escaped = quote(text, safe=" ")
    return escaped.replace(".", "%2E") if escaped.strip(".") == "" and escaped else escaped or "%"
