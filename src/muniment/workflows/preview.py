"""What adding would do, found out by reading what is to be added and writing nothing."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from muniment.content import Entry, Finding, Hashers, LogicalPath, Progress, quiet
from muniment.content.differences import Differences, differences
from muniment.content.exclusions import Exclusions, LeftOut
from muniment.content.folders import own_name, refuse_special, walk
from muniment.content.instance import Instance
from muniment.content.portability import check_names
from muniment.content.regular import open_regular
from muniment.errors.archive import SourceUnreadable
from muniment.errors.base import BadInput

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Preview:
    """What a new instance would bring.

    `same` are files that are there already as they are; `twice` is content that several of the paths would have,
    stored once; `claimed` are paths that several of the sources would have, which `add` refuses.
    """

    changes: Differences
    same: list[Entry] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    twice: dict[str, list[str]] = field(default_factory=dict)
    claimed: dict[str, list[str]] = field(default_factory=dict)
    warnings: list[Finding] = field(default_factory=list)
    stored: int = 0
    """Bytes that would be written as content."""

    def as_json(self) -> dict[str, object]:
        """As JSON says it."""
        return {
            **self.changes.as_json(),
            "same": [entry.path for entry in self.same],
            "links": self.links,
            "left_out": [each.as_json() for each in self.left_out],
            "twice": list(self.twice.values()),
            "claimed": self.claimed,
            "warnings": [finding.as_json() for finding in self.warnings],
            "stored": self.stored,
        }


def preview(
    places: Iterable[tuple[str, str | None]],
    base: Instance | None,
    algorithm: str,
    *,
    remove: Iterable[str] = (),
    metadata: Mapping[str, object] | None = None,
    exclude: Exclusions | None = None,
    progress: Progress = quiet,
) -> Preview:
    """What an instance on `base` would be with `places`, each a file or folder and its name in the package.

    `remove` is what is left out of `base`, `metadata` what would be said about the instance as a whole.

    Raises:
        SourceUnreadable, NotAPlainFile, NameNotUnicode, UnsafePath: As `add`.
        BadInput: A name would be needed.
    """
    files: dict[LogicalPath, list[tuple[str, int]]] = defaultdict(list)
    links: dict[str, str] = {}
    left_out: list[LeftOut] = []
    for place, name in places:
        if os.path.isdir(place):  # noqa: PTH112 - as `add` asks
            found = walk(place, f"{LogicalPath.parse(name)}/" if name else "", exclude)
            links.update(found.links)
            left_out += found.left_out
            for path, source, size in found.files:
                files[path].append((source, size))
        else:
            refuse_special(place)
            files[LogicalPath.parse(name or own_name(place))].append((place, _size(place)))
    old = {entry.path: entry for entry in base.files()} if base else {}
    known = {entry.digests[algorithm] for entry in old.values() if algorithm in entry.digests}
    gone = list(remove)
    state: dict[str, Entry] = {path: entry for path, entry in old.items() if not _below(path, gone)}
    total, same, content, stored = len(files), [], defaultdict[str, list[str]](list), 0
    for count, (path, sources) in enumerate(sorted(files.items()), 1):
        entry = _entry(path, sources[0][0], algorithm)
        digest = entry.digests[algorithm]
        if path in old and old[path].digests.get(algorithm) == digest:
            same.append(entry)
        if digest not in known:
            stored += entry.size or 0
            known.add(digest)
        content[digest].append(path)
        state[path] = entry
        progress("reading", count, total, size=stored)
    return Preview(
        differences(old.values(), state.values(), base.metadata if base else {}, metadata),
        same=same,
        links=links,
        left_out=left_out,
        twice={digest: paths for digest, paths in content.items() if len(paths) > 1},
        claimed={path: [source for source, _ in sources] for path, sources in files.items() if len(sources) > 1},
        warnings=list(check_names(sorted(state))),
        stored=stored,
    )


def _size(place: str) -> int:
    try:
        return os.stat(place).st_size  # noqa: PTH116 - as above
    except OSError as error:
        raise SourceUnreadable(path=place, reason=error.strerror) from error
    except ValueError as error:
        raise BadInput(reason=f"{place!r} is no path") from error


def _below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _entry(path: LogicalPath, place: str, algorithm: str) -> Entry:
    hashers = Hashers([algorithm])
    try:
        with open_regular(place, follow=True) as file:
            while piece := file.read(_PIECE):
                hashers.update(piece)
    except OSError as error:
        raise SourceUnreadable(path=place, reason=error.strerror or str(error)) from error
    return Entry(path, hashers.size, hashers.values())
