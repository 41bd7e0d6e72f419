"""A resource to be imported with its instances, and the checks of what its records claim."""

from __future__ import annotations

import io
import json
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from muniment.archive import Agent, ImportedFile, ImportedInstance
from muniment.content.acceptable import check_identifier
from muniment.content.regular import open_regular
from muniment.content.times import check_time
from muniment.errors.archive import PackageRefused
from muniment.validation.findings import why

Json = dict[str, Any]

NO_ADDRESS = "mailto:unknown@invalid"
"""Stands for the address of an agent who gave none: OCFL wants a URI there (W008, W009)."""

_LARGEST_RECORD = 1 << 30


@dataclass(frozen=True, slots=True)
class ImportedResource:
    """A resource found in a package. `id` and `project` are empty where it does not say."""

    id: str
    project: str
    instances: Callable[[], Iterable[ImportedInstance]]


@dataclass(slots=True)
class PackageFiles:
    """The files of a package in a folder: path to place and time of change, and the folders that are empty."""

    root: Path
    files: dict[str, os.stat_result] = field(default_factory=dict)
    linked: dict[str, str] = field(default_factory=dict)
    """Path of a link to the place of the file inside the package that counts as it."""
    empty: list[str] = field(default_factory=list)

    def place(self, path: str) -> str:
        """Where a file lies on disk.

        Raises:
            PackageRefused: A record names a file that is not there.
        """
        if path not in self.files:
            refuse(self.root, f"its records name {path!r}, which is not there")
        return self.linked.get(path) or str(self.root / path)


def look(root: Path) -> PackageFiles:
    """Every file below `root`; a link to a file inside counts as that file.

    Raises:
        PackageRefused: There is another link, a pipe or a device, or a folder cannot be listed.
    """
    found = PackageFiles(root)
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(root / folder) as listing:
                entries = list(listing)
        except OSError as error:
            refuse(root, f"{folder} could not be listed: {error.strerror}")
        if not entries and folder:
            found.empty.append(folder)
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                waiting.append(path)
            elif stat.S_ISREG(status.st_mode):
                found.files[path] = status
            elif stat.S_ISLNK(status.st_mode) and _inside(root, entry.path):
                found.files[path] = Path(entry.path).stat()
                found.linked[path] = os.path.realpath(entry.path)
            else:
                refuse(root, f"{path!r} is a link, a pipe or a device, not a file or a folder")
    found.empty.sort()
    return found


def _inside(root: Path, link: str) -> bool:
    """Whether a link leads to a regular file of the package."""
    place = Path(os.path.realpath(link))
    return place.is_file() and place.is_relative_to(os.path.realpath(root))


def refuse(path: object, reason: str) -> NoReturn:
    """Refuse the package at `path`.

    Raises:
        PackageRefused: Always.
    """
    raise PackageRefused(path=path, reason=reason)


def read_json(place: str) -> Json:
    """The JSON object in a file.

    Raises:
        PackageRefused: It is not one, or larger than any record can be.
    """
    try:
        if Path(place).stat().st_size > _LARGEST_RECORD:
            refuse(place, f"it is larger than {_LARGEST_RECORD} bytes")
        with io.BufferedReader(open_regular(place, follow=True)) as file:
            record = json.load(file)
    except RecursionError:
        refuse(place, "it is nested too deeply")
    except (OSError, ValueError) as error:
        refuse(place, f"it cannot be read as JSON: {why(error)}")
    if not isinstance(record, dict):
        refuse(place, "it is not a JSON object")
    return record


def read_lines(place: str) -> Iterable[Json]:
    """The JSON objects in the lines of a file.

    Raises:
        PackageRefused: A line is not one.
    """
    with io.BufferedReader(open_regular(place, follow=True)) as file:
        for line in file:
            try:
                record = json.loads(line)
            except RecursionError:
                refuse(place, "a line is nested too deeply")
            except ValueError as error:
                refuse(place, f"a line cannot be read as JSON: {why(error)}")
            if not isinstance(record, dict):
                refuse(place, "a line is not a JSON object")
            yield record


def said(record: Mapping[str, object], name: str, kind: type, where: str) -> Any:
    """What a record says under `name`; an empty value of `kind` where it says nothing.

    Raises:
        PackageRefused: It is of another kind.
    """
    value = record.get(name)
    if value is None:
        return kind()
    # A truth value is a whole number to Python; in a record it is a mistake.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        refuse(where, f"{name!r} should be {kind.__name__}, not {value!r:.60}")
    return value


def imported_instance(record: Json, files: Iterable[ImportedFile], where: str, detail: Json) -> ImportedInstance:
    """An instance from its record, in the words that `metadata/instance.json` and the layout `instances` share.

    Raises:
        PackageRefused, BadValue: The record says something that cannot be.
    """
    agent = said(record, "agent", dict, where)
    links = said(record, "links", dict, where)
    folders = said(record, "folders", list, where)
    return ImportedInstance(
        files,
        instance=check_identifier(said(record, "instance", str, where)),
        created=check_time(said(record, "created", str, where), "the time an instance was made"),
        agent=agent_of(agent, where),
        message=said(record, "message", str, where),
        metadata=said(record, "metadata", dict, where),
        provenance=said(record, "provenance", list, where),
        links=links,
        folders=folders,
        left_out=said(record, "left_out", list, where),
        detail=detail,
    )


def agent_of(record: Json, where: str) -> Agent | None:
    """Who made an instance, None where nobody is named."""
    name = said(record, "name", str, where)
    return Agent(name, said(record, "address", str, where) or NO_ADDRESS) if name else None
