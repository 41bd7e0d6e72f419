"""What an instance is, wherever its archive lies: one version of a resource, to be read and never changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, Self

from muniment.content.entries import Entry

if TYPE_CHECKING:
    from muniment.content.differences import Differences


class Instance(Protocol):
    """One immutable version of a resource; its files are checked as they are read."""

    @property
    def id(self) -> str:
        """The resource."""

    @property
    def project(self) -> str:
        """The project the resource is in."""

    @property
    def number(self) -> int:
        """Its number: 1 for the oldest."""

    @property
    def head(self) -> int:
        """The number of the newest instance, as it was when this one was read."""

    @property
    def instance(self) -> str:
        """Its own identifier, unique for ever."""

    @property
    def created(self) -> str:
        """When it was committed, in RFC 3339."""

    @property
    def message(self) -> str:
        """Why it was made."""

    @property
    def agent(self) -> Mapping[str, str]:
        """Who made it: `name` and `address`."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What its makers said about it."""

    @property
    def provenance(self) -> list[object]:
        """The instances it was made from, where it was merged or migrated."""

    @property
    def record(self) -> Mapping[str, Any]:
        """The whole of `metadata/instance.json`.

        Raises:
            DamagedRecord, ReadFailed: It cannot be had.
        """

    @property
    def root(self) -> Path | str:
        """Where it is: the folder of its resource, or its address at the server."""

    def __enter__(self) -> Self:
        """An instance may be used where a transaction may; there is nothing to close."""

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""

    def __iter__(self) -> Iterator[str]:
        """The paths of all files, sorted."""

    def __contains__(self, path: object) -> bool:
        """Whether the instance holds a file of that path."""

    def __bool__(self) -> bool:
        """True, also of an instance without files."""

    def __len__(self) -> int:
        """How many files it holds."""

    def __getitem__(self, path: str) -> Entry:
        """The entry of one file.

        Raises:
            FileNotInInstance: There is no such file.
        """

    def files(self) -> Iterator[Entry]:
        """Every file with its size, digests and time of change, sorted by path."""

    def digests(self, path: str) -> Mapping[str, str]:
        """Every recorded digest of one file.

        Raises:
            FileNotInInstance: There is no such file.
        """

    def open(self, path: str, offset: int = 0, *, verify: bool = True) -> BinaryIO:
        """A stream of one file's bytes from `offset` on.

        Read from its beginning to its end, it is checked against its digest and the last read fails
        if the file is damaged; `verify=False` leaves that out.

        Raises:
            FileNotInInstance: There is no such file.
            BadInput: `offset` is below 0.
            ReadFailed, ServerUnreachable, TransferCut: It cannot be had.
        """

    def read(self, path: str) -> bytes:
        """A whole file, checked; for small files.

        Raises:
            MunimentError: As `open`.
            DamagedFile: Its bytes are not those that came in.
        """

    def location(self, path: str) -> Path:
        """Where a file's bytes lie on this machine's disk. They belong to the archive: read them, never write.

        Raises:
            FileNotInInstance: There is no such file.
            OnlyLocally: They lie behind a server.
        """

    def earlier(self, number: int) -> Instance:
        """Another instance of the same resource, not newer than this one was when it was read.

        Raises:
            InstanceNotFound: It has no such instance.
        """

    def diff(self, before: Instance | None = None) -> Differences:
        """How this instance differs from another one, from the one before it, or from nothing if it is the first.

        Raises:
            DamagedRecord, ReadFailed: One of them cannot be read.
        """

    def inventory_digest(self) -> str:
        """The digest of the inventory that came with this instance, as `algorithm:value`: it vouches for all of it.

        Raises:
            DamagedRecord, ReadFailed: It cannot be had.
        """
