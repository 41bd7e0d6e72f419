"""What the log of a bucket says to an audit: that its chain is whole, and what it vouches for."""

from __future__ import annotations

from collections.abc import Iterator

from muniment.archive.bucket.log import BucketLog
from muniment.archive.eventlog.lines import event_of, line_hash
from muniment.archive.eventlog.log import FIRST
from muniment.content import FINDINGS, Finding
from muniment.content.events import Event, Head

_Version = tuple[str, str, int]


class LoggedInBucket:
    """The inventory digests of all instances that the log says were ingested and not purged, and the purges."""

    def __init__(self, log: BucketLog) -> None:
        self._log = log
        self._seq, self._previous, self._newest = 0, FIRST, ""
        self._vouched: dict[_Version, str] = {}
        self._seen: set[_Version] = set()
        self.purges: list[Event] = []
        """What tells of tombstones."""

    def check(self, since: Head | None) -> Iterator[Finding]:
        """Read the log as it lies in the bucket, no copy trusted; where its chain is broken.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: It could not be had.
        """
        at_since = ""
        for key, data in self._log.stored(self._newest):
            self._newest = key
            for line in data.splitlines(keepends=True):
                found = event_of(line)
                if found is None:
                    yield Finding(FINDINGS["M202"], key, "an event", "a line that is none")
                    continue
                event = found[1]
                if event.seq != self._seq + 1:
                    yield Finding(FINDINGS["M301"], key, f"event {self._seq + 1}", f"event {event.seq}")
                elif event.previous != self._previous:
                    yield Finding(FINDINGS["M301"], f"{key}, event {event.seq}", self._previous, event.previous)
                self._seq, self._previous = event.seq, line_hash(found[0])
                if since is not None and event.seq == since.seq:
                    at_since = self._previous
                self._note(event)
        if since is not None and since.seq and at_since != since.hash:
            shown = at_since or f"the log ends with event {self._seq}"
            yield Finding(FINDINGS["M308"], f"event {since.seq}", since.hash, shown)

    def catch_up(self) -> None:
        """Take in what was appended meanwhile.

        Raises:
            StoreUnreachable, StoreFailed, StoreRefused: It could not be had.
        """
        for _ in self.check(None):
            pass  # the next audit says it

    def said(self, project: str, resource: str, number: int) -> str | None:
        """What the log says of an instance's inventory, '' where it names none; asking counts as having found it."""
        self._seen.add((project, resource, number))
        return self._vouched.get((project, resource, number))

    def vouches(self, project: str, resource: str, number: int) -> bool:
        """Whether there should be such an instance."""
        return (project, resource, number) in self._vouched

    def unseen(self) -> list[_Version]:
        """The instances that there should be and nobody asked about."""
        return [each for each in self._vouched if each not in self._seen]

    def _note(self, event: Event) -> None:
        if event.outcome != "success":
            return
        if event.event == "ingestion":
            self._vouched[event.project, event.resource, event.instance] = str(event.detail.get("inventory", ""))
        elif event.event == "deletion":
            self.purges.append(event)
            for number in range(1, int(event.detail.get("instances", 0)) + 1):
                self._vouched.pop((event.project, event.resource, number), None)
