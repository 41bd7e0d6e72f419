"""An instance behind a server: read-only, its files checked as they are read."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self, cast
from urllib.parse import quote

from muniment.content import Entry
from muniment.errors.archive import FileNotInInstance, ReadOnlyInstance
from muniment.errors.base import BadInput
from muniment.errors.remote import OnlyLocally
from muniment.remote.body import RemoteFile
from muniment.remote.connection import Server, segment
from muniment.remote.read_ahead import SMALL, ReadAhead
from muniment.remote.records import entry_of

if TYPE_CHECKING:
    from muniment.content.differences import Differences
    from muniment.content.instance import Instance

_CHUNK = 1 << 20
_PAGE = 1000


class RemoteInstance:
    """One immutable version of a resource."""

    def __init__(self, server: Server, record: Mapping[str, Any]) -> None:
        self.id = str(record["id"])
        self.project = str(record["project"])
        self.number = int(record["number"])
        self.head = int(record["head"])
        self.instance = str(record["instance"])
        self.created = str(record["created"])
        self.message = str(record["message"])
        self.agent: Mapping[str, str] = dict(record["agent"])
        self.record: Mapping[str, Any] = dict(record["record"])
        self._count = int(record["files"])
        self._server = server
        self._ahead = ReadAhead(server, self._place, {"project": self.project})

    def __repr__(self) -> str:
        """The resource and the instance's number."""
        return f"<Instance {self.number} of {self.id!r} in {self.project} at {self._server.url}>"

    def __enter__(self) -> Self:
        """An instance may be used where a transaction may; there is nothing to close."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""

    def __iter__(self) -> Iterator[str]:
        """The paths of all files, sorted."""
        return iter(self._entries)

    def __contains__(self, path: object) -> bool:
        """Whether the instance holds a file of that path."""
        return path in self._entries

    def __bool__(self) -> bool:
        """An instance without files is an instance all the same: `if base` must not take it for none."""
        return True

    def __len__(self) -> int:
        """How many files it holds."""
        return self._count

    def __getitem__(self, path: str) -> Entry:
        """The entry of one file.

        Raises:
            FileNotInInstance: There is no such file.
        """
        try:
            return self._entries[path]
        except KeyError:
            raise FileNotInInstance(instance=self.number, id=self.id, path=path) from None

    def diff(self, before: Instance | None = None) -> Differences:
        """How this instance differs from another one, from the one before it, or from nothing if it is the first.

        Raises:
            ServerUnreachable, TransferCut: One of them cannot be read.
        """
        from muniment.content.differences import compared  # noqa: PLC0415 - few programs need it

        return compared(self, before)

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        from muniment.content.notebook import instance_html  # noqa: PLC0415 - as in `diff`

        return instance_html(self)

    @property
    def metadata(self) -> Mapping[str, object]:
        """What its makers said about it."""
        found = self.record.get("metadata", {})
        return found if isinstance(found, dict) else {}

    @property
    def provenance(self) -> list[object]:
        """The instances it was made from, where it was merged or migrated."""
        return list(self.record.get("provenance", []))

    @property
    def root(self) -> str:
        """Where it is: its address, since its folder is the server's affair."""
        return f"{self._server.url}archive/v1{self._place}"

    def files(self) -> Iterator[Entry]:
        """Every file with its size, digests and time of change, sorted by path."""
        return iter(self._entries.values())

    def digests(self, path: str) -> Mapping[str, str]:
        """Every recorded digest of one file.

        Raises:
            FileNotInInstance: There is no such file.
        """
        return self[path].digests

    def open(self, path: str, offset: int = 0, *, verify: bool = True) -> BinaryIO:
        """A stream of one file's bytes from `offset` on; a cut connection is taken up again where it broke.

        Read from its beginning to its end, it is checked against its digest and the last read fails
        if the file is damaged; `verify=False` leaves that out.

        Raises:
            FileNotInInstance: There is no such file.
            ServerUnreachable, TransferCut: It does not come.
        """
        entry = self[path]
        if offset < 0:
            raise BadInput(reason=f"a file cannot be read from {offset} on")
        if offset >= (entry.size or 0) and offset:
            return io.BytesIO()
        algorithm = "sha256" if "sha256" in entry.digests else next(iter(entry.digests))
        if not offset and (entry.size or 0) <= SMALL:
            data = self._ahead.take(path, lambda: self._entries)
            if data is not None and (
                not verify or hashlib.new(algorithm, data).hexdigest() == entry.digests[algorithm]
            ):
                return io.BytesIO(data)
        place = f"{self._place}/files/{quote(path, safe='/')}"
        digest = (algorithm, entry.digests[algorithm]) if verify else None
        raw = RemoteFile(self._server, place, {"project": self.project}, name=path, offset=offset, digest=digest)
        return cast("BinaryIO", io.BufferedReader(raw, _CHUNK))

    def read(self, path: str) -> bytes:
        """A whole file, checked; for small files.

        Raises:
            MunimentError: As `open`.
            DamagedFile: Its bytes are not those that came in.
        """
        with self.open(path) as file:
            return file.read()

    def earlier(self, number: int) -> RemoteInstance:
        """Another instance of the same resource.

        Raises:
            InstanceNotFound: It has no such instance.
        """
        place = f"/resources/{segment(self.id)}/instances/{number}"
        return RemoteInstance(self._server, self._server.ask("GET", place, {"project": self.project}).json())

    def inventory_digest(self) -> str:
        """The digest of the inventory that came with this instance, as `algorithm:value`: it vouches for all of it.

        Raises:
            MunimentError: What the server says.
        """
        answer = self._server.ask("GET", f"{self._place}/inventory", {"project": self.project})
        return str(answer.json()["digest"])

    def location(self, path: str) -> Path:
        """Where a file lies is the server's affair.

        Raises:
            OnlyLocally: Always.
        """
        raise OnlyLocally(what=f"Reading {path} in its place on disk")

    def add(self, *_: object, **__: object) -> None:
        """An instance is never changed.

        Raises:
            ReadOnlyInstance: Always.
        """
        raise ReadOnlyInstance(instance=self.number, id=self.id)

    delete = replace = commit = rollback = add

    @property
    def _place(self) -> str:
        return f"/resources/{segment(self.id)}/instances/{self.number}"

    @cached_property
    def _entries(self) -> dict[str, Entry]:
        pages = pages_of(self._server, f"{self._place}/files", {"project": self.project}, "files")
        return {str(record["path"]): entry_of(record) for record in pages}


def pages_of(server: Server, path: str, query: Mapping[str, object], name: str) -> Iterator[Mapping[str, object]]:
    """Everything in a list that comes a page at a time.

    Raises:
        MunimentError: What the server says.
    """
    after = query.get("after")
    while True:
        page = server.ask("GET", path, {**query, "limit": _PAGE, "after": after}).json()
        yield from page[name]
        after = page.get("next")
        if not after:
            return
