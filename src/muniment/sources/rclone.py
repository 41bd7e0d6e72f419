"""Any remote of an rclone configuration: Google Drive, OneDrive, WebDAV, SFTP, Azure, and whatever else rclone reaches.

It is read and never written. The configuration holds the credentials of the archive's keeper, so no submission from
outside may name its remotes.
"""

from __future__ import annotations

import contextlib
import heapq
import io
import itertools
import json
import re
import tempfile
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

from muniment.content import ALGORITHMS
from muniment.errors.base import MunimentError
from muniment.errors.sources import (
    CredentialRefused,
    FieldWrong,
    FileUnavailable,
    NotAtService,
    ProgramFailed,
    ServiceUnreachable,
)
from muniment.errors.stores import BadStore, KeyNotFound, StoreRefused, StoreUnreachable
from muniment.session.rclone import Rclone
from muniment.sources.checking import CHECKS
from muniment.sources.options import Kind, Param, SourceContext
from muniment.sources.protocol import Failure, Item, Page, SourceEntry, original_name, safe_path
from muniment.sources.times import rfc3339

SERVICE = "rclone"

_REMOTE = re.compile(r"[\w.+@][\w.+@ -]*")
_SORTED_AT_ONCE = 20_000
"""Lines of a listing that are sorted in memory: rclone lists folders as they come, and a listing has to come alike."""


class RcloneSource:
    """All files below a path of one remote, in rclone's order."""

    service = SERVICE

    def __init__(self, given: Mapping[str, Any], means: SourceContext) -> None:
        if "config" not in means.rclone:
            reason = "no configuration of rclone is named: set MUNIMENT_RCLONE_CONFIG"
            raise FieldWrong(service=SERVICE, field="remote", reason=reason)
        self._remote: str = given["remote"].removesuffix(":")
        self._scratch = means.scratch
        self._path: str = given.get("path", "").rstrip("/")
        try:
            self._rclone = Rclone(f"rclone remote {self._remote}", means.rclone, means.scratch)
        except BadStore as error:
            raise FieldWrong(service=SERVICE, field="remote", reason=str(error.details["reason"])) from error

    @property
    def resource(self) -> str:
        """The remote and the path in it."""
        return f"{self._remote}/{self._path}".rstrip("/")

    def pages(self, after: str | None = None) -> Iterator[Page]:
        """One item: the path."""
        if after is None:
            yield Page((Item(id=self.resource),))

    def entries(self, item: Item) -> Iterator[SourceEntry | Failure]:  # noqa: ARG002 - there is one item
        """The files, with the hashes that the remote has of them.

        Raises:
            CredentialRefused, NotAtService: The configuration or the fields have to change.
            RemoteError: The remote, or rclone, failed.
        """
        words = ["lsjson", "-R", "--files-only", "--no-mimetype", *self._hashes(), self._at("")]
        with self._errors(), self._rclone.reading(self.resource, *words) as output:
            lines = (line.strip().rstrip(b",") for line in output)
            pairs = ((json.loads(text)["Path"], text) for text in lines if text not in {b"", b"[", b"]"})
            with contextlib.closing(_in_order(pairs, self._scratch)) as ordered:
                for text in ordered:
                    yield _entry(json.loads(text))

    def open(self, item: Item, entry: SourceEntry, offset: int = 0) -> BinaryIO:  # noqa: ARG002 - the locator suffices
        """The bytes of a file.

        Raises:
            FileUnavailable: It cannot be had; reading raises the same.
            RemoteError: The remote, or rclone, failed.
        """
        output = self._rclone.open(entry.locator, "cat", f"--offset={offset}", self._at(entry.locator))
        return cast("BinaryIO", _Output(self, output, str(entry.path)))

    def _hashes(self) -> list[str]:
        """Ask for hashes where the remote holds them; one that would read every file for them is not asked."""
        with self._errors():
            if f"{self._remote}:" not in self._rclone.run(".", "listremotes").decode().splitlines():
                raise NotAtService(service=SERVICE, what="remote", where=self._remote, field="remote")
            found = json.loads(self._rclone.run(".", "backend", "features", f"{self._remote}:"))
        slow = bool((found.get("Features") or {}).get("SlowHash"))
        return [] if slow or not found.get("Hashes") else ["--hash"]

    def _at(self, path: str) -> str:
        return f"{self._remote}:" + "/".join(part for part in (self._path, path) if part)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """What rclone says of the remote and the path, in the words of a source.

        Raises:
            CredentialRefused, NotAtService: The configuration or the fields have to change.
            RemoteError: The remote, or rclone, failed.
        """
        try:
            yield
        except KeyNotFound:
            raise NotAtService(service=SERVICE, what="folder", where=self.resource, field="path") from None
        except StoreRefused as error:
            status = f"as rclone says: {error.details['reason']}"
            raise CredentialRefused(service=SERVICE, field="remote", status=status, what="the path") from None
        except StoreUnreachable as error:
            raise ServiceUnreachable(service=SERVICE, where=self._remote, reason=error.details["reason"]) from None
        except (MunimentError, ValueError) as error:
            if isinstance(error, MunimentError) and "store" not in error.details:
                raise
            raise ProgramFailed(program="rclone", service=SERVICE, reason=str(error)) from None


class _Output(io.RawIOBase):
    """The bytes of a file; what goes wrong is that file's own affair, unless the remote is away."""

    def __init__(self, source: RcloneSource, output: BinaryIO, path: str) -> None:
        super().__init__()
        self._source = source
        self._output = output
        self._path = path

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer comes with 3.12
        """Read on.

        Raises:
            FileUnavailable: The remote does not give it.
            RemoteError: The remote, or rclone, failed.
        """
        try:
            return int(self._output.readinto(buffer))  # type: ignore[attr-defined]  # it is an io object
        except (KeyNotFound, StoreRefused) as error:
            reason = str(error.details.get("reason", "it is no longer there"))
            raise FileUnavailable(path=self._path, service=SERVICE, reason=reason) from None
        except MunimentError as error:
            with self._source._errors():  # noqa: SLF001 - one with its source
                raise error from None
            raise AssertionError("unreachable: the error is raised in other words") from None

    def close(self) -> None:
        """End the command."""
        self._output.close()
        super().close()


def _in_order(pairs: Iterable[tuple[str, bytes]], scratch: Path) -> Generator[bytes, None, None]:
    """The lines of a listing in the order of their paths, however many there are: sorted in parts on the disk."""
    with contextlib.ExitStack() as stack:
        parts: list[Iterator[tuple[str, bytes]]] = []
        following = iter(pairs)
        while part := sorted(itertools.islice(following, _SORTED_AT_ONCE)):
            file = stack.enter_context(tempfile.TemporaryFile(dir=scratch))
            file.writelines(text + b"\n" for _, text in part)
            file.seek(0)
            parts.append((json.loads(text)["Path"], text) for text in file)
        for _, text in heapq.merge(*parts):
            yield text


def _entry(facts: Mapping[str, Any]) -> SourceEntry:
    name, size = str(facts["Path"]), int(facts.get("Size", -1))
    hashes = {
        str(kind).lower().replace("-", ""): str(value).lower() for kind, value in (facts.get("Hashes") or {}).items()
    }
    path = safe_path(name)
    return SourceEntry(
        path,
        size if size >= 0 else None,  # a document that is made when it is read has no size before
        {kind: value for kind, value in hashes.items() if ALGORITHMS.get(kind) == len(value)},
        rfc3339(facts.get("ModTime")),
        locator=name,
        checks={kind: value for kind, value in hashes.items() if kind in CHECKS and value},
        original=original_name(name, path),
    )


KIND = Kind(
    name=SERVICE,
    summary="Any remote of the keeper's rclone configuration (`MUNIMENT_RCLONE_CONFIG`), read and never written.",
    takes=("every file below the path, compared with the hash that the remote has of it",),
    leaves=("earlier versions", "rights, comments and other metadata of the service", "empty folders and links"),
    params=(
        Param(
            "remote",
            "The remote's name in the configuration.",
            check=lambda value: None if _REMOTE.fullmatch(value.removesuffix(":")) else "it is no name of a remote",
        ),
        Param("path", "The path in it; without it all of the remote.", required=False),
    ),
    build=RcloneSource,
    submitted=False,
)
