"""An opened archive in a bucket, seen from inside."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from muniment.archive.bucket.home import BucketHome
from muniment.archive.bucket.layout import object_place
from muniment.archive.bucket.mirror import objects_of
from muniment.archive.context import ArchiveContext
from muniment.archive.disk.layout import SETTINGS
from muniment.archive.disk.root_files import RECORD, ROOT_FILES
from muniment.archive.eventlog.log import FIRST
from muniment.archive.index.index import FIXITY_CHECK, Index
from muniment.archive.index.rebuild import summary
from muniment.content import Progress, quiet
from muniment.content.events import Head
from muniment.errors.base import RemoteError, StorageError
from muniment.errors.stores import KeyNotFound


@dataclass(frozen=True, slots=True)
class BucketContext(ArchiveContext):
    """One opened archive in a bucket, seen from inside; its index is filled from the log, which tells everything."""

    @property
    def bucket(self) -> BucketHome:
        """Its home, as what it is."""
        assert isinstance(self.home, BucketHome)
        return self.home

    def reindex(self, progress: Progress = quiet) -> int:  # noqa: ARG002 - a listing of the bucket is quick
        """Build the index anew from the objects in the bucket; returns how many resources there are."""
        head, bucket = self.log.settled_head(), self.bucket
        found = (bucket.instance(*resource) for resource in objects_of(bucket.keys))
        audits = (event for event in self.log.read() if event.event == FIXITY_CHECK and event.seq <= head.seq)
        return self.index.rebuild((summary(each) for each in found), head, audits)

    def is_readable(self) -> bool:
        """Whether the archive is still there and can be read."""
        try:
            return self.bucket.keys.stat(SETTINGS) is not None
        except (RemoteError, StorageError):
            return False

    def newest_number(self, project: str, resource: str) -> int:
        """The number of a resource's newest instance, 0 where there is no such resource.

        Raises:
            ResourcePurged: It was purged.
            StoreUnreachable, StoreFailed, StoreRefused: It could not be told.
        """
        self.bucket.refuse_purged(project, resource)
        return self.bucket.newest(project, resource)

    def records(self, project: str, resource: str, number: int, names: Iterable[str]) -> str:
        """A folder of this machine with files of an instance's bag; those that are nowhere are not in it.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: They could not be had.
        """
        folder = ArchiveContext.records(self, project, resource, number, names)
        for name in names:
            with contextlib.suppress(KeyNotFound):
                path = f"v{number}/content/{name}"
                self.bucket.fetch(object_place(project, resource), path, Path(folder, name))
        return folder

    def bring_root_files(self) -> None:
        """Have the archive's own files and the records of what was purged in the state folder; they never change.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: They could not be had.
        """
        purged = (each.key for each in self.bucket.keys.list("tombstones/"))
        for key in (*ROOT_FILES, RECORD, *purged):
            with contextlib.suppress(KeyNotFound):
                self.bucket.keep_copy(key)

    def caught_up_index(self) -> Index:
        """The index with all events applied that there are in the bucket now."""
        self.log.settled_head()
        if self.index.fresh:
            self.index.rebuild((), Head(0, FIRST))
        return ArchiveContext.caught_up_index(self)

    def complete_index(self) -> Index:
        """The index, built anew from a listing of the bucket."""
        self.reindex()
        return self.index
