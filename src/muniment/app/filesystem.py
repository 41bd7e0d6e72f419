"""An archive as a filesystem of fsspec, for what reads by `muniment://` addresses: pandas, dask, xarray and others.

`muniment://ID/path` is a file of a resource's newest instance, `muniment://ID@v2/path` one of an earlier instance. An
id that holds a `/`, an `@` or a `%` is percent-encoded. fsspec finds the class by its entry point.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO, ClassVar, cast
from urllib.parse import quote, unquote

from fsspec.spec import AbstractFileSystem

from muniment.app.archive import Archive
from muniment.app.opener import ArchiveOpener
from muniment.content.archive import Archive as AnyArchive
from muniment.content.entries import Entry
from muniment.content.instance import Instance
from muniment.content.times import read_time
from muniment.errors.base import BadInput, MissingThing
from muniment.settings import Settings

_CHUNK = 1 << 20
_IN_MEMORY = 32 << 20
"""Bytes up to which a file that is opened is kept in memory; a larger one in a temporary file."""


class MunimentFileSystem(AbstractFileSystem):  # type: ignore[misc] # fsspec has no types
    """The resources of an archive as folders, read-only. Every file is checked against its digest when it is opened."""

    protocol: ClassVar[str] = "muniment"
    root_marker: ClassVar[str] = ""

    def __init__(self, archive: str | None = None, *, key: str | None = None, **given: object) -> None:
        """Read from `archive`, a folder or a server's address with its `key`; by default the one the settings name.

        Raises:
            BadInput, NotAnArchive, ServerUnreachable: It cannot be opened.
        """
        super().__init__(**given)
        self._archive: AnyArchive = (
            ArchiveOpener(Settings()).archive() if archive is None else Archive(archive, key=key)
        )
        self._read: dict[tuple[str, str], Instance] = {}

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(path).removeprefix("muniment://").strip("/")

    def ls(self, path: str, detail: bool = True, **_: object) -> list[Any]:  # noqa: FBT001, FBT002 - as fsspec calls it
        """What is in a folder: resources, or what an instance holds there.

        Raises:
            FileNotFoundError: There is no such thing.
        """
        rows = list(self._listed(self._strip_protocol(path)))
        return rows if detail else [row["name"] for row in rows]

    def info(self, path: str, **_: object) -> dict[str, Any]:
        """Name, size, type, digests and times of one thing.

        Raises:
            FileNotFoundError: There is no such thing.
        """
        name = self._strip_protocol(path)
        if not name:
            return _folder(name)
        instance, inside = self._instance(name)
        if inside in instance:
            return _file(name, instance[inside], instance)
        if not inside or any(each.startswith(f"{inside}/") for each in instance):
            return _folder(name)
        raise FileNotFoundError(path)

    def created(self, path: str) -> object:
        """When the instance was committed that a path is in."""
        return read_time(self._instance(self._strip_protocol(path))[0].created)

    def modified(self, path: str) -> object:
        """When the file was last changed, as the place it came from stated it; else when it was committed."""
        instance, inside = self._instance(self._strip_protocol(path))
        return read_time(instance[inside].modified) or read_time(instance.created)

    def checksum(self, path: str) -> str:
        """The digest that names the content, as `algorithm:value`."""
        instance, inside = self._instance(self._strip_protocol(path))
        return next(f"{name}:{value}" for name, value in sorted(instance[inside].digests.items(), reverse=True))

    ukey = checksum

    def _open(self, path: str, mode: str = "rb", **_: object) -> BinaryIO:
        """A file, checked whole before its first byte is given, to be read anywhere in it.

        Raises:
            FileNotFoundError: There is no such file.
            BadInput: It is to be written.
            DamagedFile, ReadFailed, TransferCut: Its bytes are not those that came in, or cannot be had.
        """
        if mode != "rb":
            raise BadInput(reason="an archive is read by this; a transaction writes to it")
        instance, inside = self._instance(self._strip_protocol(path))
        if inside not in instance:
            raise FileNotFoundError(path)
        kept = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the caller closes it
        try:
            with instance.open(inside) as source:
                while piece := source.read(_CHUNK):
                    kept.write(piece)
        except BaseException:
            kept.close()
            raise
        kept.seek(0)
        return cast("BinaryIO", io.BufferedReader(cast("Any", kept)))

    def _instance(self, name: str) -> tuple[Instance, str]:
        """The instance a path leads into, and the path inside."""
        first, _, inside = name.partition("/")
        name_of, _, number = first.partition("@")
        key = name_of, number
        try:
            # An earlier instance never changes; which is the newest does.
            found = self._read.get(key) if number else None
            if found is None:
                found = self._archive.get(unquote(name_of), instance=number or None)
        except MissingThing as error:
            raise FileNotFoundError(name) from error
        if number:
            self._read[key] = found
        return found, inside

    def close(self) -> None:
        """Let go of the archive."""
        self._archive.close()

    def _listed(self, name: str) -> Iterator[dict[str, Any]]:
        if not name:
            for summary in self._archive.resources():
                yield _folder(quote(summary.id, safe=""))
            return
        instance, inside = self._instance(name)
        if inside in instance:
            yield _file(name, instance[inside], instance)
            return
        prefix = f"{inside}/" if inside else ""
        seen, found = set[str](), False
        for path in instance:
            if not path.startswith(prefix):
                continue
            found = True
            first, deeper, _ = path.removeprefix(prefix).partition("/")
            if not deeper:
                yield _file(f"{name}/{first}", instance[path], instance)
            elif first not in seen:
                seen.add(first)
                yield _folder(f"{name}/{first}")
        if not found and inside:
            raise FileNotFoundError(name)


def _folder(name: str) -> dict[str, Any]:
    return {"name": name, "size": 0, "type": "directory"}


def _file(name: str, entry: Entry, instance: Instance) -> dict[str, Any]:
    return {
        "name": name,
        "size": entry.size,
        "type": "file",
        "modified": entry.modified,
        "created": instance.created,
        "digests": dict(entry.digests),
    }
