"""A transaction behind a server: an instance in the making, until it commits or rolls back."""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from muniment.content import Entry, LogicalPath, Progress, parse_expected, quiet
from muniment.content.folders import Found, own_name, refuse_for_folder, refuse_special, walk
from muniment.content.times import from_ns
from muniment.content.transaction import Addable, Expected
from muniment.errors.archive import FileNotInInstance, LeftoverNotFound, TransactionClosed
from muniment.errors.base import MissingThing, MunimentError
from muniment.errors.remote import ServerUnreachable
from muniment.remote.connection import LONG, Server, pause, segment
from muniment.remote.instance import RemoteInstance, pages_of
from muniment.remote.records import entry_of
from muniment.remote.uploads import SMALL, FileBytes, UploadRequest, batches, send_large, send_small, send_stream

if TYPE_CHECKING:
    from muniment.content.exclusions import Exclusions, LeftOut

_ASKED = 5
_AT_ONCE = 100
"""What is said in one request: a path may have 4,096 bytes, and a request's body a million."""


class RemoteTransaction:
    """A new instance of a resource in the making, kept by the server until it is closed or expires.

    As a context manager it commits on a clean exit and rolls back on an exception. Left alone for
    longer than the server's lease it is rolled back there.
    """

    def __init__(self, server: Server, record: Mapping[str, Any]) -> None:
        self.transaction = str(record["transaction"])
        self.id = str(record["id"])
        self.project = str(record["project"])
        self.number = int(record["number"])
        self.prepared = bool(record["prepared"])
        self.unprotected = ""  # parity is the server's affair
        self.metadata: dict[str, object] = dict(record["metadata"])
        self.provenance: list[object] = list(record.get("provenance") or [])
        self._server = server
        self._said = copy.deepcopy((self.metadata, self.provenance))
        self._closed = ""

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
            return
        # The exception is what the caller has to see; what is left at the server expires.
        with contextlib.suppress(MunimentError):
            self.rollback()

    def __iter__(self) -> Iterator[str]:
        """The paths the instance would have now."""
        return iter([entry.path for entry in self.files()])

    def __contains__(self, path: object) -> bool:
        """Whether the instance would have this file now."""
        self._refuse_closed()
        return isinstance(path, str) and bool(path) and self._find(path) is not None

    def files(self) -> Iterator[Entry]:
        """Every entry the instance would have now, sorted by path."""
        self._refuse_closed()
        return iter([entry_of(record) for record in pages_of(self._server, f"{self._place}/files", {}, "files")])

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
        what of a folder is left out; the instance records that, with the rule. Nothing counts before the
        server has digested all of it.

        Raises:
            UnsafePath, PathTaken, PathCollides: It cannot have that path.
            DigestMismatch: The file has another digest; it was refused.
            SourceUnreadable, SourceChanged, NotAPlainFile: The source could not be read as one whole.
            ServerUnreachable, TransferCut: It did not get through.
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
        self._refuse_unless_open()
        name = path if path is not None else own_name(source)
        if name not in self:
            raise FileNotInInstance(instance=self.number, id=self.id, path=name)
        return self._take(source, name, digests, modified, exclude, progress, replace=True)

    def note_links(self, links: Mapping[str, str], folders: Iterable[str]) -> None:
        """Record symbolic links as links, and folders with nothing in them.

        Raises:
            UnsafePath, PathTaken, PathCollides: One of them cannot be there.
            TransactionClosed: The transaction is over.
        """
        self._refuse_unless_open()
        given = {"links": dict(links), "folders": list(folders)}
        if given["links"] or given["folders"]:
            self._server.ask("POST", f"{self._place}/links", given=given)

    def note_left_out(self, left_out: Iterable[LeftOut]) -> None:
        """Record what was not taken in and by which rule.

        Raises:
            BadValue: Something of it cannot be kept.
            TransactionClosed: The transaction is over.
        """
        self._refuse_unless_open()
        waiting = [each.as_json() for each in left_out]
        for start in range(0, len(waiting), _AT_ONCE):
            given = {"left_out": waiting[start : start + _AT_ONCE]}
            self._server.ask("POST", f"{self._place}/links", given=given)

    def delete(self, path: str) -> list[str]:
        """Leave a file, or a folder and all below it, out of the new instance; earlier ones keep it.

        Raises:
            FileNotInInstance: There is no such file or folder.
            TransactionClosed: The transaction is over.
        """
        self._refuse_unless_open()
        reply = self._server.ask("DELETE", f"{self._place}/files/{segment(path)}")
        return [str(name) for name in reply.json()["removed"]]

    def commit(self, *, message: str | None = None, progress: Progress = quiet) -> RemoteInstance:
        """Publish the new instance and return it; on return it is on stable storage at the server.

        Should the connection break meanwhile, it is found out whether it was published.

        Raises:
            StaleTransaction, ResourceExists: Somebody else was first; nothing was published.
            DiskFull, WriteFailed: The server's storage refused; the transaction is rolled back.
            TransactionClosed: The transaction is over.
        """
        del progress  # the server does not tell how far it is
        self._refuse_closed()
        self._say()
        self._closed = "committed"
        given = {} if message is None else {"message": message}
        for attempt in range(1, _ASKED + 1):
            try:
                reply = self._server.ask("POST", f"{self._place}/commit", given=given, patience=LONG, again=False)
                return RemoteInstance(self._server, reply.json())
            except (ServerUnreachable, LeftoverNotFound) as error:
                done = self._published(error)
                if done is not None:
                    return done
                if attempt == _ASKED or isinstance(error, LeftoverNotFound):
                    raise
            except MunimentError as error:
                if not (error.retry and error.http_status in {409, 503}) or attempt == _ASKED:
                    raise
            pause(attempt + 2)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def rollback(self) -> None:
        """Undo everything: the archive is as it was before the transaction.

        Raises:
            TransactionClosed: The transaction is over.
            ServerUnreachable: The server was not told; it rolls back when the lease has run out.
        """
        self._refuse_closed()
        self._closed = "rolled back"
        # Gone already: it expired, or the answer to the first asking was lost.
        with contextlib.suppress(LeftoverNotFound):
            self._server.ask("DELETE", self._place)

    def prepare(self, group: str, decided_at: str) -> None:
        """Make everything ready as part of a group, so that `commit` cannot fail for want of room or by others.

        Raises:
            StaleTransaction, ResourceExists, ResourceReserved: Somebody else was first.
            DiskFull, WriteFailed: The server's storage refused; the transaction is as before.
        """
        self._refuse_closed()
        self._say()
        given = {"group": group, "decided_at": decided_at}
        self._server.ask("POST", f"{self._place}/prepare", given=given, patience=LONG)
        self.prepared = True

    def park(self, *, lease: float | None = None) -> None:
        """Let go of it for now; the server keeps it for its own lease.

        Raises:
            TransactionClosed: The transaction is over.
        """
        del lease  # the server's setting decides
        self._refuse_closed()
        self._say()

    def unpark(self) -> None:
        """Take up what others did to it meanwhile.

        Raises:
            LeftoverNotFound: It was closed meanwhile, or it expired.
        """
        self._refuse_closed()
        record = self._server.ask("GET", self._place).json()
        self.metadata.clear()
        self.metadata.update(record["metadata"])
        self.provenance[:] = record.get("provenance") or []
        self._said = copy.deepcopy((self.metadata, self.provenance))
        self.prepared = bool(record["prepared"])

    def leave(self) -> None:
        """Let go of the transaction as it is, to be resumed before it expires."""
        self.park()
        self._closed = "left"

    @property
    def _place(self) -> str:
        return f"/transactions/{self.transaction}"

    def _refuse_closed(self) -> None:
        if self._closed:
            raise TransactionClosed(id=self.id, how=self._closed)

    def _refuse_unless_open(self) -> None:
        self._refuse_closed()
        if self.prepared:
            raise TransactionClosed(id=self.id, how="prepared")

    def _say(self) -> None:
        if self.prepared or (self.metadata, self.provenance) == self._said:
            return
        given = {"metadata": self.metadata, "provenance": self.provenance}
        self._server.ask("PUT", f"{self._place}/metadata", given=given)
        self._said = copy.deepcopy((self.metadata, self.provenance))

    def _find(self, path: str) -> Entry | None:
        found = self._server.ask("GET", f"{self._place}/files", {"path": path}).json()["files"]
        return entry_of(found[0]) if found else None

    def _published(self, error: MunimentError) -> RemoteInstance | None:
        """The instance, should the commit have gone through although its answer was lost."""
        place = f"/resources/{segment(self.id)}/instances/{self.transaction}"
        try:
            return RemoteInstance(self._server, self._server.ask("GET", place, {"project": self.project}).json())
        except MissingThing:
            return None
        except ServerUnreachable:
            raise error from None

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
        expected = parse_expected(digests)
        if isinstance(source, (str, os.PathLike)):
            place = os.fspath(source)
            if os.path.isdir(place):  # noqa: PTH112 - `source` may be any path-like
                refuse_for_folder(place, digests, modified)
                return self._take_folder(place, path, exclude, progress, replace=replace)
            name = LogicalPath.parse(path if path is not None else own_name(source))
            return [self._take_file(UploadRequest(name, expected, modified, replace), place)]
        name = LogicalPath.parse(path if path is not None else own_name(source))
        return [send_stream(self._server, self._place, UploadRequest(name, expected, modified, replace), source)]

    def _take_file(self, request: UploadRequest, place: str) -> Entry:
        refuse_special(place)
        with contextlib.closing(FileBytes(place)) as file:
            request.modified = request.modified or from_ns(file.changed_at)
            if (file.size or 0) <= SMALL:
                data = b"".join(piece for _, run in file.pieces(0) for piece in run)
                file.done()
                return send_small(self._server, self._place, [(request, data)])[0]
            return send_large(self._server, self._place, request, file)

    def _take_folder(
        self, place: str, path: str | None, exclude: Exclusions | None, progress: Progress, *, replace: bool
    ) -> list[Entry]:
        found = walk(place, f"{LogicalPath.parse(path)}/" if path else "", exclude)
        entries: list[Entry] = []
        try:
            self._send_all(found, entries, progress, replace=replace)
        except BaseException:
            # Half a folder must not be committed by somebody who catches this and goes on.
            for entry in entries:
                with contextlib.suppress(MunimentError):
                    self.delete(entry.path)
            raise
        return sorted(entries, key=lambda entry: entry.path)

    def _send_all(self, found: Found, entries: list[Entry], progress: Progress, *, replace: bool) -> None:
        """Send what a folder holds, noting in `entries` what has arrived."""
        total, size = len(found.files), 0
        small = (
            (UploadRequest(name, replace=replace), each, size) for name, each, size in found.files if size <= SMALL
        )
        for group in batches(small):
            entries += send_small(
                self._server, self._place, [(request, _whole(request, at)) for request, at, _ in group]
            )
            size += sum(item[2] for item in group)
            progress("adding", len(entries), total, size=size)
        for name, each, length in found.files:
            if length > SMALL:
                entries.append(self._take_file(UploadRequest(name, replace=replace), each))
                size += length
                progress("adding", len(entries), total, size=size)
        if found.links or found.empty:
            self.note_links(found.links, found.empty)
        if found.left_out:
            self.note_left_out(found.left_out)


def _whole(request: UploadRequest, place: str) -> bytes:
    with contextlib.closing(FileBytes(place)) as file:
        request.modified = from_ns(file.changed_at)
        data = b"".join(piece for _, run in file.pieces(0) for piece in run)
        file.done()
        return data
