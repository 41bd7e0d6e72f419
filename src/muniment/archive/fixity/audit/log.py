"""What the log says: that its chain is whole, that it is the one others saw, and which inventories it vouches for."""

from __future__ import annotations

import contextlib
import hashlib
from array import array
from collections.abc import Iterator
from pathlib import Path

from muniment.archive.disk.locks import held_if_possible
from muniment.archive.eventlog.lines import line_hash
from muniment.archive.eventlog.log import FIRST, EventLog
from muniment.archive.fixity.audit.digest_table import DigestTable
from muniment.content import FINDINGS, Finding
from muniment.content.events import UNREADABLE, Event, Head
from muniment.errors.archive import ReadFailed


def key_of(project: str, resource: str, instance: int) -> bytes:
    """A short key for an instance: a hundred thousand of them are to be held at once."""
    return hashlib.blake2b(f"{project}\0{resource}\0{instance}".encode(), digest_size=16).digest()


class LineHashes:
    """The beginning of the hash of every line of the log, by the number of its event: eight bytes for each."""

    def __init__(self) -> None:
        self._hashes = array("Q")

    def note(self, seq: int, line: bytes | None) -> None:
        """Take in the line of event `seq`, or that it cannot be read."""
        place = seq - 1
        if not 0 <= place < len(self._hashes) + _LARGEST_GAP:
            return
        self._hashes.extend([_UNKNOWN] * (place + 1 - len(self._hashes)))
        self._hashes[place] = _begin(line_hash(line)) if line is not None else _UNKNOWN

    def differs(self, head: Head) -> str:
        """In words, how the log is not the one that somebody saw reach as far as `head`; '' where it may be that."""
        if not head.seq:
            return ""
        if head.seq > len(self._hashes):
            return f"the log ends with event {len(self._hashes)}"
        found = self._hashes[head.seq - 1]
        if found in {_UNKNOWN, _begin(head.hash)}:
            return ""  # of a line that cannot be read the log itself speaks
        return f"another event {head.seq}, with a hash that begins {found:016x}"


_LARGEST_GAP = 100_000
_UNKNOWN = 0


def _begin(digest: str) -> int:
    return int(digest[:16], 16)


class LoggedDigests:
    """The inventory digests of all instances the log says were ingested and not purged."""

    def __init__(self) -> None:
        self._digests = DigestTable()
        self.lines = LineHashes()
        """What instances are held against that say how far the log reached when they were made."""
        self.purges: list[Event] = []
        """What tells of tombstones."""
        self.newest = 0
        """The number of the newest event that was noted."""

    def note(self, event: Event, line: bytes) -> None:
        """Take in one event and its line."""
        self.newest = max(self.newest, event.seq)
        self.lines.note(event.seq, None if event.event == UNREADABLE else line)
        if event.outcome != "success":
            return
        if event.event == "ingestion":
            key = key_of(event.project, event.resource, event.instance)
            self._digests.keep(key, str(event.detail.get("inventory", "")))
        elif event.event == "deletion":
            self.purges.append(event)
            for number in range(1, int(event.detail.get("instances", 0)) + 1):
                self._digests.forget(key_of(event.project, event.resource, number))

    def catch_up(self, log: EventLog) -> None:
        """Note the events that were appended meanwhile."""
        for line, _, event in log.entries(self.newest):
            if event.seq > self.newest:
                self.note(event, line)

    def purges_since(self, seq: int) -> Iterator[Event]:
        """The purges that came behind an event."""
        return (event for event in self.purges if event.seq > seq)

    def vouched(self, project: str, resource: str, instance: int) -> str:
        """The digest of an instance's inventory as the log has it, `algorithm:value`; '' where it says nothing."""
        return self._digests.get(key_of(project, resource, instance)) or ""

    def digest(self, project: str, resource: str, instance: int) -> str | None:
        """What the log says of an instance; asking counts as having found it on disk."""
        key = key_of(project, resource, instance)
        self._digests.mark_found(key)
        return self._digests.get(key)

    def unseen(self, log: EventLog) -> Iterator[Event]:
        """The ingestion of each instance the log records that nobody asked about: it was not found on disk."""
        for event in () if self._digests.all_found() else log.read():
            key = key_of(event.project, event.resource, event.instance)
            if event.event == "ingestion" and self._digests.is_missing(key):
                yield event

    def has(self, event: Event) -> bool:
        """Whether the instance an ingestion is about is still one that there should be."""
        return self._digests.get(key_of(event.project, event.resource, event.instance)) is not None


def check_log(log: EventLog, logged: LoggedDigests, lock: Path, since: Head | None = None) -> Iterator[Finding]:
    """Check the chain from the first event to the last, and note what the log vouches for.

    With `since` the log must also be the one that reached so far once: as each line holds the hash of the one
    before, that proves every event up to there. Lines that are damaged are read from the mirror; that they are
    damaged is said of the file. `lock` is the one under which others append: what looks like damage is looked at
    again when nobody does.
    """
    previous, seq = FIRST, 0
    for line, path, event in log.entries():
        where = f"events/{path.parent.name}/{path.name}"
        if event.event == UNREADABLE:
            yield Finding(FINDINGS["M202"], where, "an event", "a line that is damaged in the mirror too")
            previous, seq = "", event.seq or seq + 1
            logged.lines.note(seq, None)
            continue
        if event.seq != seq + 1:
            yield Finding(FINDINGS["M301"], where, f"event {seq + 1}", f"event {event.seq}")
        if previous and event.previous != previous:
            yield Finding(FINDINGS["M301"], f"{where}, event {event.seq}", previous, event.previous)
        previous, seq = line_hash(line), event.seq
        logged.note(event, line)
    yield from _check_head(log, seq, since)
    if _torn(log) or any(True for _ in log.differences()):
        with held_if_possible(lock):
            torn = _torn(log)
            if torn:
                yield Finding(FINDINGS["M302"], f"events/{torn.parent.name}/{torn.name}")
            for path, how in log.differences():
                yield Finding(FINDINGS["M306"], f"events/{path.parent.name}/{path.name}", "", how)


def _check_head(log: EventLog, newest: int, since: Head | None) -> Iterator[Finding]:
    """Whether the log, which now ends with event `newest`, is the one that `since` was the head of."""
    if since is None or not since.seq:
        return
    found = log.hash_at(since.seq)
    if found != since.hash:
        ends = f"the log ends with event {newest}" if since.seq > newest else "a line that is damaged"
        yield Finding(FINDINGS["M308"], f"event {since.seq}", since.hash, found or ends)


def _torn(log: EventLog) -> Path | None:
    with contextlib.suppress(ReadFailed):  # which its mirror tells from it
        return log.torn()
    return None
