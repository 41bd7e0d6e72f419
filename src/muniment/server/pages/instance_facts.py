"""What a page says of an instance and takes time to find out: counted once, since instances never change."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from muniment.archive import Event, Instance, LastCheck, ParityBlocks, blocks_of
from muniment.content.checks import Format
from muniment.errors.base import MunimentError
from muniment.server.pages.page import Page
from muniment.workflows.export import plan_package

_KEPT = 2000
_KEPT_FORMATS = 16
_COUNTED = 200_000
"""Files that are compared for one page at the most, of all its instances together."""
_PLANNED = 1000
"""Files of an instance whose tar is laid out to say its length."""
_Key = tuple[str, int]
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ChangeCount:
    """How many files an instance added, gave other content and removed."""

    added: int
    changed: int
    removed: int


@dataclass(frozen=True, slots=True)
class Need:
    """What mending damage asks of one parity set: how many blocks are lost, and how many it can make again."""

    lost: int
    spare: int

    @property
    def met(self) -> bool:
        """Whether the parity is enough."""
        return self.lost <= self.spare


@dataclass(frozen=True, slots=True)
class NamedDamage:
    """The places that the newest check named as wrong or unreadable; `all` says that it named every one."""

    wrong: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    all: bool = True
    needs: tuple[Need, ...] = ()
    """What it asks of parity, set by set, the hardest first; empty where that was not measured."""

    def names(self) -> list[str]:
        """The wrong ones by what people call them: the path below an instance's content, else the last part."""
        found = [place.partition("/content/data/")[2] or place.rpartition("/")[2] for place in sorted(self.wrong)]
        return list(dict.fromkeys(found))

    def paths(self, found: Instance, places: frozenset[str]) -> list[str]:
        """The files of an instance that lie at some of them."""
        return [path for path in found if places and found.place(path) in places]


class InstanceFacts:
    """What was found out lately about instances. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes: OrderedDict[_Key, ChangeCount] = OrderedDict()
        self._lengths: OrderedDict[_Key, int] = OrderedDict()
        self._blocks: OrderedDict[_Key, ParityBlocks] = OrderedDict()
        self._formats: OrderedDict[_Key, Mapping[str, tuple[Format, ...]]] = OrderedDict()

    def changes(self, instances: Iterable[Instance], files: int) -> dict[int, ChangeCount]:
        """What each of these instances changed, by number, as far as counting that is bounded by `files` in each."""
        most = _COUNTED // max(files, 1)
        return {
            each.number: self._known(self._changes, _KEPT, each, lambda found=each: ChangeCount(*found.changed()))  # type: ignore[misc] # bound to its own instance
            for each in islice(instances, most)
        }

    def length(self, page: Page, found: Instance) -> int:
        """The exact length of an instance as a tar in bytes; 0 where finding that out takes too long."""
        if len(found) > _PLANNED:
            return 0

        def planned() -> int:
            plan = plan_package(page.archive, found.id, "bag", project=found.project, instance=found.number)
            return plan.length

        try:
            return self._known(self._lengths, _KEPT, found, planned)
        except MunimentError:
            return 0  # a record of it is damaged; the note of the page says so

    def blocks(self, page: Page, found: Instance) -> ParityBlocks | None:
        """The blocks of the parity set of an instance's largest file; None where it has none yet."""
        key = (str(found.root), found.number)
        with self._lock:
            if key in self._blocks:
                return self._blocks[key]
        try:
            known = blocks_of(page.archive, found)
        except MunimentError:
            return None
        if known is not None:  # it may still be made
            with self._lock:
                self._blocks[key] = known
                while len(self._blocks) > _KEPT:
                    self._blocks.popitem(last=False)
        return known

    def formats(self, found: Instance) -> Mapping[str, tuple[Format, ...]]:
        """The formats of an instance's files by path, as they were told when it came in; empty where nobody did."""
        try:
            return self._known(self._formats, _KEPT_FORMATS, found, lambda: dict(found.formats()))
        except MunimentError:
            return {}

    def _known(self, known: OrderedDict[_Key, Value], most: int, found: Instance, find: Callable[[], Value]) -> Value:
        key = (str(found.root), found.number)
        with self._lock:
            if key in known:
                known.move_to_end(key)
                return known[key]
        value = find()
        with self._lock:
            known[key] = value
            while len(known) > most:
                known.popitem(last=False)
        return value


def named_damage(page: Page, check: LastCheck | None) -> NamedDamage:
    """What a check named in its event."""
    if check is None or not (check.errors or check.unknown):
        return NamedDamage()
    event: Event | None = next(iter(islice(page.archive.events(check.seq - 1), 1)), None)
    said = event.detail.get("places") if event is not None and event.seq == check.seq else None
    if event is None or not isinstance(said, dict):
        return NamedDamage(all=False)
    wrong, unknown = (frozenset(map(str, said.get(name) or ())) for name in ("error", "unknown"))
    return NamedDamage(wrong, unknown, not event.detail.get("places not named"), _needs(event.detail))


def _needs(said: Mapping[str, object]) -> tuple[Need, ...]:
    """What the event of a check measured; a line of the log may have been written by another version."""
    given = said.get("parity needed")
    found = [
        Need(each["lost"], each["spare"])
        for each in (given if isinstance(given, list) else [])
        if isinstance(each, dict) and isinstance(each.get("lost"), int) and isinstance(each.get("spare"), int)
    ]
    return tuple(sorted(found, key=lambda need: need.lost / max(need.spare, 1), reverse=True))
