"""What a publisher is: it is given the pages of a thing, shows them, and says where; twice is once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class PublishedPage:
    """One page to be shown: a page of a scan, what it is called, and the text on it where that is known."""

    id: str
    scan: Path
    page: int
    title: str
    sha256: str
    """The scan's digest: a page with the same is not made again."""
    text: str = ""
    hocr: str = ""


@dataclass(frozen=True, slots=True)
class PublishedDate:
    """A date of a thing: what it is the date of, and whether it is `single`, `inclusive` or `bulk`."""

    label: str
    kind: str
    begin: str
    end: str = ""


@dataclass(frozen=True, slots=True)
class Publication:
    """A thing to be shown: pages in order, and what is said about it (label to texts).

    `series` and `subseries` are a number and a title.
    """

    id: str
    title: str
    collection: str
    collection_title: str
    pages: Sequence[PublishedPage]
    metadata: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rights: str = ""
    publisher: str = ""
    finding_aid: str = ""
    series: tuple[str, str] | None = None
    subseries: tuple[str, str] | None = None
    dates: Sequence[PublishedDate] = ()


@dataclass(frozen=True, slots=True)
class PublishedAt:
    """Where it is seen, and its picture for lists."""

    url: str
    thumbnail: str
    files: Mapping[str, str] = field(default_factory=dict)
    """The sha256 of what was written, by path, where files were."""
    manifest: str = ""
    """The address of its IIIF manifest, which every viewer of such opens; empty where there is none."""


@runtime_checkable
class Publisher(Protocol):
    """A place where things are shown."""

    def preflight(self) -> None:
        """Find out whether it can be written to, without writing.

        Raises:
            PublishingFailed: It cannot.
        """

    def prepare(self, publication: Publication) -> None:
        """Make what a thing's collection needs, where it is not there; nobody else does so at the same time.

        Raises:
            PublishingFailed: It was not done.
        """

    def publish(self, publication: Publication) -> PublishedAt:
        """Show a thing, or what is new of it, in a collection that is prepared.

        Raises:
            PublishingFailed: It was not done; what was shown before is shown still.
        """

    def check(self, id: str, expected: PublishedAt) -> Iterator[str]:
        """What differs from what was published: one sentence each.

        Raises:
            PublishingFailed: It cannot be told.
        """


class Remembered(Protocol):
    """What outlives the work: what a publisher has to know again of each thing, by a name of ours."""

    def get(self, name: str) -> str:
        """What is remembered, or ''."""

    def put(self, name: str, value: str) -> None:
        """Remember it; it is on stable storage on return."""
