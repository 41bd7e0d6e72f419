"""How two states of a package differ: what came, what went, what has other content, what has another name."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from muniment.content.entries import Entry

if TYPE_CHECKING:
    from muniment.content.instance import Instance

_STRONGEST = ("sha512", "sha256", "sha1", "md5")


@dataclass(frozen=True, slots=True)
class Differences:
    """Entries by what became of them; pairs are the entry as it was and the entry as it is."""

    added: list[Entry] = field(default_factory=list)
    removed: list[Entry] = field(default_factory=list)
    changed: list[tuple[Entry, Entry]] = field(default_factory=list)
    moved: list[tuple[Entry, Entry]] = field(default_factory=list)
    metadata: dict[str, tuple[object, object]] = field(default_factory=dict)
    """What is said about it: each key with what it was and what it is, None where nothing was said."""

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.added or self.removed or self.changed or self.moved or self.metadata)

    def lines(self) -> Iterator[str]:
        """One line for each, sorted by path: `+` added, `-` removed, `~` changed, `>` moved, `*` said about it."""
        said = [(entry.path, f"+ {entry.path}") for entry in self.added]
        said += [(entry.path, f"- {entry.path}") for entry in self.removed]
        said += [(entry.path, f"~ {entry.path}") for _, entry in self.changed]
        said += [(before.path, f"> {before.path} -> {after.path}") for before, after in self.moved]
        yield from (line for _, line in sorted(said))
        for key, (before, after) in sorted(self.metadata.items()):
            yield f"* {key}: {_shown(before)} -> {_shown(after)}"

    def as_json(self) -> dict[str, object]:
        """As JSON says it."""
        return {
            "added": [_described(entry) for entry in self.added],
            "removed": [_described(entry) for entry in self.removed],
            "changed": [
                {"path": after.path, "before": _described(before), "after": _described(after)}
                for before, after in self.changed
            ],
            "moved": [{"from": before.path, **_described(after)} for before, after in self.moved],
            "metadata": {key: {"before": before, "after": after} for key, (before, after) in self.metadata.items()},
        }


def _shown(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)


def _described(entry: Entry) -> dict[str, object]:
    return {"path": entry.path, "size": entry.size, "digests": dict(entry.digests)}


def differences(
    before: Iterable[Entry],
    after: Iterable[Entry],
    said_before: Mapping[str, object] | None = None,
    said_after: Mapping[str, object] | None = None,
) -> Differences:
    """How `after` differs from `before`, by the strongest digest that both know; a move is one content, another path.

    Of content that has gone from several paths and come to several, the pairs are made in the order of the paths.
    """
    old, new = ({entry.path: entry for entry in entries} for entries in (before, after))
    found = Differences()
    went: dict[str, list[Entry]] = defaultdict(list)
    for path in sorted(old.keys() - new.keys()):
        went[_content(old[path])].append(old[path])
    for path in sorted(old.keys() & new.keys()):
        if not same_content(old[path], new[path]):
            found.changed.append((old[path], new[path]))
    for path in sorted(new.keys() - old.keys()):
        waiting = went.get(_content(new[path]))
        # Every empty file is like every other: that one went and one came says nothing of a move.
        if waiting and new[path].size:
            found.moved.append((waiting.pop(0), new[path]))
        else:
            found.added.append(new[path])
    found.removed.extend(sorted((entry for entries in went.values() for entry in entries), key=lambda each: each.path))
    was, now = said_before or {}, said_after or {}
    for key in was.keys() | now.keys():
        if was.get(key) != now.get(key):
            found.metadata[key] = was.get(key), now.get(key)
    return found


def compared(after: Instance, before: Instance | None) -> Differences:
    """How an instance differs from another one; without one from the one before it, or from nothing if it is the first.

    Raises:
        MunimentError: One of them cannot be read.
    """
    if before is None and after.number > 1:
        before = after.earlier(after.number - 1)
    if before is None:
        return differences((), after.files(), {}, after.metadata)
    return differences(before.files(), after.files(), before.metadata, after.metadata)


def same_content(one: Entry, other: Entry) -> bool:
    """Whether two entries have one content, by the strongest digest that both know."""
    name = next((name for name in _STRONGEST if name in one.digests and name in other.digests), None)
    return name is not None and one.digests[name] == other.digests[name]


def _content(entry: Entry) -> str:
    name = next((name for name in _STRONGEST if name in entry.digests), "")
    return f"{name}:{entry.digests.get(name)}"
