"""What the log says: that its chain is whole, and which inventories it vouches for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from muniment.archive.eventlog.lines import line_hash
from muniment.archive.eventlog.log import FIRST, EventLog
from muniment.content import FINDINGS, Finding
from muniment.content.events import Event, parse_event


def key_of(project: str, resource: str, instance: int) -> bytes:
    """A short key for an instance: a hundred thousand of them are to be held at once."""
    return hashlib.blake2b(f"{project}\0{resource}\0{instance}".encode(), digest_size=16).digest()


class LoggedDigests:
    """The inventory digests of all instances the log says were ingested and not purged."""

    def __init__(self) -> None:
        self._digests: dict[bytes, str] = {}
        self._seen: set[bytes] = set()

    def note(self, event: Event) -> None:
        """Take in one event."""
        if event.outcome != "success":
            return
        if event.event == "ingestion":
            key = key_of(event.project, event.resource, event.instance)
            self._digests[key] = str(event.detail.get("inventory", ""))
        elif event.event == "deletion":
            for number in range(1, int(event.detail.get("instances", 0)) + 1):
                self._digests.pop(key_of(event.project, event.resource, number), None)

    def digest(self, project: str, resource: str, instance: int) -> str | None:
        """What the log says of an instance; asking counts as having found it on disk."""
        key = key_of(project, resource, instance)
        self._seen.add(key)
        return self._digests.get(key)

    def unseen(self, log: EventLog) -> Iterator[Finding]:
        """A finding for each instance the log records that was not found on disk."""
        missing = self._digests.keys() - self._seen
        if not missing:
            return
        for event in log.read():
            if event.event == "ingestion" and key_of(event.project, event.resource, event.instance) in missing:
                what = f"instance {event.instance} of {event.resource}"
                where = f"event {event.seq}"
                yield Finding(FINDINGS["M304"], where, what, "", event.resource, str(event.instance))


def check_log(log: EventLog, logged: LoggedDigests) -> Iterator[Finding]:
    """Check the chain from the first event to the last, and note what the log vouches for."""
    previous, seq = FIRST, 0
    for path, line in log.lines():
        where = f"events/{path.parent.name}/{path.name}"
        try:
            event = parse_event(line)
        except (ValueError, TypeError) as error:
            yield Finding(FINDINGS["M202"], where, "an event", str(error))
            previous = line_hash(line)
            continue
        if event.seq != seq + 1:
            yield Finding(FINDINGS["M301"], where, f"event {seq + 1}", f"event {event.seq}")
        if event.previous != previous:
            yield Finding(FINDINGS["M301"], f"{where}, event {event.seq}", previous, event.previous)
        previous, seq = line_hash(line), event.seq
        logged.note(event)
    torn = log.torn()
    if torn:
        yield Finding(FINDINGS["M302"], f"events/{torn.parent.name}/{torn.name}")
