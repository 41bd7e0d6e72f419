"""Finding files in all resources, by name, digest or what is said about their resource."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from muniment.content import Entry, Progress, quiet
from muniment.content.archive import Archive
from muniment.content.instance import Instance


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for; all that is given must be true. `metadata` is key to glob."""

    pattern: str | None
    digests: Mapping[str, str]
    metadata: Mapping[str, str]
    every_instance: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A file in an instance, or with an empty path the instance itself."""

    project: str
    id: str
    instance: int
    path: str
    size: int | None

    def as_json(self) -> dict[str, object]:
        """As JSON says it."""
        return asdict(self)


def find_files(
    archive: Archive, wanted: Query, project: str | None = None, progress: Progress = quiet
) -> Iterator[Found]:
    """Every file that is wanted, resource by resource in the order of their ids.

    It reads the records of each resource, and no index that could be behind.

    Raises:
        MunimentError: A record cannot be had.
    """
    total = archive.count(project)
    matches = _matcher(wanted.pattern)
    for done, summary in enumerate(archive.resources(project), 1):
        progress("looking", done, total)
        newest = archive.instance(summary.id, project=summary.project)
        instances = archive.history(summary.id, summary.project) if wanted.every_instance else [newest]
        for instance in instances:
            if all(_says(instance, key, glob) for key, glob in wanted.metadata.items()):
                yield from _hits(instance, wanted, matches)


def _hits(instance: Instance, wanted: Query, matches: re.Pattern[str] | None) -> Iterator[Found]:
    if matches is None and not wanted.digests:
        yield Found(instance.project, instance.id, instance.number, "", None)
        return
    for path in instance:
        if matches is not None and not matches.match(
            path if "/" in (wanted.pattern or "") else path.rpartition("/")[2]
        ):
            continue
        entry = instance[path]
        if not wanted.digests or _has(entry, wanted.digests):
            yield Found(instance.project, instance.id, instance.number, path, entry.size)


def _has(entry: Entry, digests: Mapping[str, str]) -> bool:
    known = entry.digests.keys() & digests.keys()
    return bool(known) and all(entry.digests[name] == digests[name] for name in known)


def _matcher(pattern: str | None) -> re.Pattern[str] | None:
    return None if pattern is None else re.compile(fnmatch.translate(pattern.removeprefix("/")))


def _says(instance: Instance, key: str, glob: str) -> bool:
    """Whether something that is said under a key, or one of several things, fits; a key may lead down with dots."""
    value: object = instance.metadata
    if isinstance(value, Mapping) and key in value:
        value = value[key]
    else:
        for part in key.split("."):
            if not isinstance(value, Mapping) or part not in value:
                return False
            value = value[part]
    values = value if isinstance(value, list) else [value]
    texts = (each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in values)
    return any(fnmatch.fnmatch(text.casefold(), glob.casefold()) for text in texts)
