"""What a mirror brings of a bucket's log: step by step, up to where it tells of nothing that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from muniment.archive.bucket.layout import EVENTS, is_log_key
from muniment.archive.disk.durable import make_folder, rename, replace_file, sync_folder
from muniment.archive.disk.layout import ArchiveLayout
from muniment.archive.eventlog.files import LogFiles
from muniment.archive.eventlog.lines import event_of
from muniment.content.events import Event
from muniment.content.identity import new_uuid
from muniment.content.regular import read_regular
from muniment.errors.archive import MirrorChanged

if TYPE_CHECKING:
    from muniment.archive.bucket.home import BucketHome

Resource = tuple[str, str]
"""A project and an id."""


@dataclass(slots=True)
class Step:
    """Some files of the log, and what the folder must hold and not hold once they are in it."""

    keys: list[str] = field(default_factory=list)
    heads: dict[Resource, int] = field(default_factory=dict)
    purged: set[Resource] = field(default_factory=set)
    inventories: dict[tuple[str, str, int], str] = field(default_factory=dict)
    """What the log says of instances' inventories."""


class LogToMirror:
    """The log of a bucket beside that of the folder that is its mirror."""

    def __init__(self, home: BucketHome, layout: ArchiveLayout, archive: str) -> None:
        self._home = home
        self._layout = layout
        self._aside = layout.staging / "mirror-of" / archive
        self._files = LogFiles(layout.events, one_each=True)
        self._stored = {each.key: each.size for each in home.keys.list(EVENTS) if is_log_key(each.key)}

    def set_own_aside(self) -> None:
        """Take out of the folder's log what was written there and not in the bucket, such as the event of an audit.

        The bucket's next event has the number of the first of these. They are kept, below `staging/mirror-of/`. The
        caller has the log to itself.

        Raises:
            MirrorChanged: The folder has a history of its own: somebody added or purged something there.
        """
        own = list(self._own())
        for _, data in own:
            self._refuse_history(data)
        folder = self._aside / f"own-events-{new_uuid()}"
        for place, data in own:
            make_folder(folder)
            key = self._key(place)
            if key in self._stored:
                replace_file(folder / place.name, data, scratch=self._layout.scratch)
                sync_folder(folder)
                self.put(key)
            else:
                (self._layout.log_mirror / place.parent.name / place.name).unlink(missing_ok=True)
                rename(place, folder / place.name)
                sync_folder(folder)
                sync_folder(place.parent)

    def settle(self) -> None:
        """As `set_own_aside`, where the newest file is not the bucket's: somebody audited the folder meanwhile.

        Raises:
            MirrorChanged: As `set_own_aside`.
        """
        newest = self._files.last()
        if newest is not None and self._stored.get(self._key(newest)) != newest.stat().st_size:
            self.set_own_aside()

    def steps(self) -> Iterator[Step]:
        """What is to be brought: first what the folder's log tells of already, then as few files at a time as can be.

        A step ends where no instance is told of before the one that comes before it, as each machine tells of its own
        when it gets to it, and where none is that was purged since and can be had no more. What follows the last
        such place comes the next time.
        """
        known, told, gone = Step(), dict[Resource, set[int]](), set[Resource]()
        for key in self._stored:
            there = (self._layout.root / key).exists()
            for event in self._events(key):
                if there:
                    _note(event, told, known.purged)
                elif event.event == "deletion":
                    gone.add(_of(event))
        known.heads = {resource: _without_gap(found) for resource, found in told.items() if resource not in gone}
        coming = [key for key in self._stored if not (self._layout.root / key).exists()]
        yield known
        step, waiting = Step(), set[Resource]()
        for key in coming:
            step.keys.append(key)
            for event in self._events(key):
                resource = _of(event)
                _note(event, told, step.purged)
                numbers = told.get(resource, set())
                if numbers and (resource in gone or max(numbers) != len(numbers)):
                    waiting.add(resource)
                else:
                    waiting.discard(resource)
                if resource not in gone:
                    step.heads[resource] = len(numbers)
                    step.inventories[(*resource, event.instance)] = str(event.detail.get("inventory", ""))
            if not waiting:
                yield step
                step = Step()

    def put(self, key: str) -> None:
        """Bring one file of the log; the caller has the log to itself."""
        place, data = self._layout.root / key, self._read(key)
        for each in (self._layout.log_mirror / place.parent.name / place.name, place):
            make_folder(each.parent)
            replace_file(each, data, scratch=self._layout.scratch)
            sync_folder(each.parent)

    def _own(self) -> Iterator[tuple[Path, bytes]]:
        """Files of the folder's log that are not as the bucket's."""
        for place in sorted(self._layout.events.glob("*/*.jsonl")):
            data, key = read_regular(place), self._key(place)
            if key not in self._stored or data != self._read(key):
                yield place, data

    def _refuse_history(self, data: bytes) -> None:
        for event in _in(data):
            if event.event not in {"ingestion", "deletion"} or self._is_stored(event):
                continue
            if event.event == "ingestion" or not self._home.is_purged(event.project, event.resource):
                raise MirrorChanged(path=self._layout.root, event=event.seq, id=event.resource)

    def _is_stored(self, event: Event) -> bool:
        """Whether an event is the bucket's, which has it in the file that is named by its number or by an earlier."""
        key = max((key for key in self._stored if key <= self._key(self._files.place(event.seq))), default="")
        return bool(key) and event.as_line() in self._read(key)

    def _events(self, key: str) -> Iterator[Event]:
        for event in _in(self._read(key)):
            if event.outcome == "success" and event.event in {"ingestion", "deletion"}:
                yield event

    def _key(self, place: Path) -> str:
        return place.relative_to(self._layout.root).as_posix()

    def _read(self, key: str) -> bytes:
        """One of the bucket's files, from the copy in the state folder where it has one: they never change."""
        local = self._home.local / key
        if local.exists():
            return read_regular(local)
        with self._home.keys.open(key) as stream:
            return stream.read()


def _note(event: Event, told: dict[Resource, set[int]], purged: set[Resource]) -> None:
    if event.event == "ingestion":
        told.setdefault(_of(event), set()).add(event.instance)
    elif event.event == "deletion":
        told.pop(_of(event), None)
        purged.add(_of(event))


def _of(event: Event) -> Resource:
    return event.project, event.resource


def _in(data: bytes) -> Iterator[Event]:
    yield from (found[1] for found in map(event_of, data.splitlines(keepends=True)) if found is not None)


def _without_gap(numbers: set[int]) -> int:
    head = 0
    while head + 1 in numbers:
        head += 1
    return head
