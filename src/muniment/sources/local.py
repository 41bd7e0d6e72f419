"""A folder of this machine, such as the one a scanner writes to. Not for submissions from outside."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, cast

from muniment.errors.sources import FileUnavailable, NotAtService
from muniment.sources.options import Kind, Param, SourceContext
from muniment.sources.protocol import Failure, Item, Page, SourceEntry, original_name, safe_path
from muniment.sources.times import from_epoch

SERVICE = "local"


class LocalSource:
    """All regular files below a folder. Links are not followed: they are listed as failures."""

    service = SERVICE

    def __init__(self, given: Mapping[str, Any], means: SourceContext) -> None:  # noqa: ARG002 - it needs no means
        self._root = os.path.realpath(given["path"])

    @property
    def resource(self) -> str:
        """The folder's name."""
        return os.path.basename(self._root) or SERVICE  # noqa: PTH119 - names may be no text, which Path hides

    def pages(self, after: str | None = None) -> Iterator[Page]:
        """One item: the folder.

        Raises:
            NotAtService: There is no such folder.
        """
        if not os.path.isdir(self._root):  # noqa: PTH112 - as above
            raise NotAtService(service=SERVICE, what="folder", where=self._root, field="path")
        if after is None:
            yield Page((Item(id=self._root, title=self.resource),))

    def entries(self, item: Item) -> Iterator[SourceEntry | Failure]:  # noqa: ARG002 - there is one item
        """The files in the order of their names, folder by folder."""
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(os.path.join(self._root, folder)) as listing:  # noqa: PTH118 - as above
                    found = sorted(listing, key=lambda each: each.name)
            except OSError as error:
                yield Failure(f"{folder}/", f"The folder cannot be read: {error.strerror}.", SERVICE)
                continue
            below = []
            for each in found:
                name = f"{folder}/{each.name}" if folder else each.name
                if each.is_dir(follow_symlinks=False):
                    below.append(name)
                else:
                    yield self._entry(name, each)
            waiting += reversed(below)

    def open(self, item: Item, entry: SourceEntry, offset: int = 0) -> BinaryIO:  # noqa: ARG002 - the locator suffices
        """The bytes of a file, reached without following a link anywhere below the folder.

        Raises:
            FileUnavailable: It is no longer there, no regular file, or shorter than `offset`.
        """
        *folders, name = entry.locator.split("/")
        place = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for folder in folders:
                inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=place)
                os.close(place)
                place = inner
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
        except OSError as error:
            reason = error.strerror or "it cannot be opened"
            raise FileUnavailable(path=entry.path, service=SERVICE, reason=reason) from None
        finally:
            os.close(place)
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size < offset:
            os.close(handle)
            raise FileUnavailable(path=entry.path, service=SERVICE, reason="it is no longer the file that was listed")
        os.lseek(handle, offset, os.SEEK_SET)
        return cast("BinaryIO", os.fdopen(handle, "rb", buffering=0))

    @staticmethod
    def _entry(name: str, each: os.DirEntry[str]) -> SourceEntry | Failure:
        path = safe_path(name)
        try:
            found = each.stat(follow_symlinks=False)
        except OSError as error:
            return Failure(path, f"It cannot be read: {error.strerror}.", SERVICE)
        if stat.S_ISLNK(found.st_mode):
            return Failure(path, "It is a link, which is not followed.", SERVICE)
        if not stat.S_ISREG(found.st_mode):
            return Failure(path, "It is neither a file nor a folder.", SERVICE)
        modified = from_epoch(found.st_mtime)
        return SourceEntry(path, found.st_size, modified=modified, locator=name, original=original_name(name, path))


KIND = Kind(
    name=SERVICE,
    summary="A folder of the machine that does the work, for the keeper of the archive alone.",
    takes=("every regular file below the folder",),
    leaves=(
        "links, devices and other special files",
        "owners, modes and extended attributes",
    ),
    params=(Param("path", "The folder."),),
    build=LocalSource,
    submitted=False,
)
