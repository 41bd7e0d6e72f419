"""What an archive holds and what it lacks, in a few numbers: for whoever watches over many archives at once."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass

from muniment.archive.archive import Archive
from muniment.archive.parity import PACK
from muniment.archive.parity.protect import has_set, pack_folder
from muniment.content.events import UNREADABLE, Event
from muniment.content.times import now

_CHECK = "fixity check"
_DAY = len("2026-11-30")


@dataclass(frozen=True, slots=True)
class Usage:
    """Sizes are in bytes, times RFC 3339 in UTC and empty for never."""

    resources: int
    bytes: int
    """Of the newest instances, as their users know them: equal content counts each time, parity does not."""
    disk_free: int
    disk_size: int
    audited: str
    """When the whole archive was last read and compared with its records."""
    audited_clean: str
    """When that last found nothing wrong."""
    parity_owed: int | None
    """Instances that should have parity and have none; None while they are still being counted."""
    read_today: int = 0
    """Bytes that checks have read since midnight UTC, here and in stores, as their events say."""


class UsageReader:
    """Keeps the numbers of one archive up to date by its log: each event is looked at once. Thread-safe."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._seen = self._looked_to = 0
        self._owed: set[tuple[str, str, int]] = set()
        self._audited = self._audited_clean = ""
        self._read: tuple[str, int] = ("", 0)

    def read(self, seconds: float = 2.0) -> Usage:
        """The numbers as they are now; at most about `seconds` go into looking whether instances have their parity.

        Raises:
            MunimentError: The log or the index cannot be read.
        """
        with self._lock:
            resources = self._archive.count()  # catches the index up
            self._read_log()
            self._look_for_parity(time.monotonic() + seconds)
            disk = shutil.disk_usage(self._archive.context.layout.root)
            return Usage(
                resources=resources,
                bytes=self._archive.context.index.total(),
                disk_free=disk.free,
                disk_size=disk.total,
                audited=self._audited,
                audited_clean=self._audited_clean,
                parity_owed=None if self._looked_to < self._seen else len(self._owed),
                read_today=self._read[1] if self._read[0] == now()[:_DAY] else 0,
            )

    def owes(self, project: str, resource: str) -> int | None:
        """How many instances of a resource lack their parity, as of the last reading; None while they are counted."""
        with self._lock:
            if self._looked_to < self._seen:
                return None
            return sum(each[:2] == (project, resource) for each in self._owed)

    def _read_log(self) -> None:
        log = self._archive.context.log
        if log.head().seq < self._seen:  # it was lost and begun anew
            self._forget()
        for event in log.read(self._seen):
            self._seen = max(self._seen, event.seq)
            if event.event != UNREADABLE:
                self._apply(event)

    def _apply(self, event: Event) -> None:
        read = event.detail.get("read")
        if isinstance(read, int) and event.event == _CHECK:
            day = event.timestamp[:_DAY]
            self._read = (day, self._read[1] * (self._read[0] == day) + read)
        if event.event == _CHECK and not event.resource and not event.detail.get("fast"):
            self._audited = event.timestamp
            if event.outcome == "success":
                self._audited_clean = event.timestamp

    def _look_for_parity(self, until: float) -> None:
        """Look at what is new, and again at what lacked parity the last time."""
        self._owed = {each for each in self._owed if time.monotonic() > until or not self._has_parity(*each)}
        if not self._archive.config.redundancy:
            self._looked_to = self._seen
        for event in self._archive.context.log.read(self._looked_to):
            if event.event == "ingestion" and event.outcome == "success":
                each = event.project, event.resource, int(event.instance)
                if not self._has_parity(*each):
                    self._owed.add(each)
            self._looked_to = max(self._looked_to, event.seq)
            if time.monotonic() > until:
                return

    def _has_parity(self, project: str, resource: str, number: int) -> bool:
        """Whether a version has its pack, which is published after all its other sets; true for what was purged."""
        context = self._archive.context
        root = context.layout.object(project, resource)
        return has_set(context, pack_folder(context.layout, root, number), PACK) or not (root / f"v{number}").is_dir()
