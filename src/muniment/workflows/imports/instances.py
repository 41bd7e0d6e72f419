"""Reads a bag of instances for import: the whole history that the layout `instances` wrote."""

from __future__ import annotations

from collections.abc import Iterator

from muniment.archive import ImportedFile, ImportedInstance
from muniment.content import Entry, LogicalPath, parse_expected
from muniment.layouts.instances import FORMAT, INSTANCES, RECORD, RESOURCE
from muniment.layouts.packages import folder_name
from muniment.validation import Bag
from muniment.workflows.imports.resource import (
    ImportedResource,
    Json,
    PackageFiles,
    imported_instance,
    read_json,
    refuse,
    said,
)


def is_instances(bag: Bag) -> bool:
    """Whether a bag's own bag-info.txt says that it holds a resource with its instances.

    Never what lies in its payload: that may be anybody's, an exported bag of ours included.
    """
    return any(value.partition(" ")[0] == FORMAT.partition(" ")[0] for value in bag.values("Muniment-Layout"))


def read_instances(found: PackageFiles, origin: Json) -> ImportedResource:
    """The resource in a valid bag of instances.

    Raises:
        PackageRefused: Its records contradict each other or the files, or are of a later format.
    """
    where = found.place(RESOURCE)
    record = read_json(where)
    if record.get("format") != FORMAT:
        refuse(where, f"its format is {record.get('format')!r:.60}; this Muniment reads {FORMAT!r}")
    identifiers = []
    for number, item in enumerate(said(record, "instances", list, where), 1):
        if not isinstance(item, dict) or item.get("number") != number:
            refuse(where, f"instance {number} is missing or not in its place")
        identifiers.append(said(item, "instance", str, where))
    if len(set(identifiers)) != len(identifiers):
        refuse(where, "two instances have one identifier")
    places = _places(found, identifiers)
    return ImportedResource(
        said(record, "id", str, where),
        said(record, "project", str, where),
        lambda: _arrivals(found, identifiers, places, origin),
    )


def _record(found: PackageFiles, identifier: str, number: int) -> tuple[Json, str]:
    where = found.place(f"{INSTANCES}/{folder_name(identifier)}/{RECORD}")
    record = read_json(where)
    if record.get("instance") != identifier or record.get("number") != number:
        refuse(where, f"it is not the record of instance {number}, {identifier}")
    return record, where


def _places(found: PackageFiles, identifiers: list[str]) -> dict[tuple[str, str], str]:
    """Where the bytes of each file lie that is not a reference, after seeing that every file in the bag is named."""
    places: dict[tuple[str, str], str] = {}
    named = {found.place(RESOURCE)}
    for number, identifier in enumerate(identifiers, 1):
        record, where = _record(found, identifier, number)
        named.add(where)
        for file in said(record, "files", list, where):
            if not isinstance(file, dict):
                refuse(where, "a file's record is not a JSON object")
            if "ref" not in file:
                path = said(file, "path", str, where)
                stored = said(file, "stored", str, where) or path
                place = found.place(f"{INSTANCES}/{folder_name(identifier)}/{stored}")
                if place in named:
                    refuse(where, f"two records claim {stored!r}")
                places[identifier, path] = place
                named.add(place)
    for path in found.files:
        if path.startswith("data/") and str(found.root / path) not in named:
            refuse(found.root, f"its records do not name {path!r}")
    return places


def _arrivals(
    found: PackageFiles, identifiers: list[str], places: dict[tuple[str, str], str], origin: Json
) -> Iterator[ImportedInstance]:
    for number, identifier in enumerate(identifiers, 1):
        record, where = _record(found, identifier, number)
        files = [_imported_file(file, identifier, places, where) for file in said(record, "files", list, where)]
        yield imported_instance(record, files, where, {"origin": {**origin, "number": number}})


def _imported_file(file: Json, identifier: str, places: dict[tuple[str, str], str], where: str) -> ImportedFile:
    path = LogicalPath.parse(said(file, "path", str, where))
    ref = said(file, "ref", dict, where)
    holder = (said(ref, "instance", str, where), said(ref, "path", str, where)) if ref else (identifier, str(path))
    if holder not in places:
        refuse(where, f"{path!r} refers to {holder[1]!r} of instance {holder[0]}, which holds no such content")
    digests = parse_expected(said(file, "digests", dict, where))
    entry = Entry(path, said(file, "size", int, where), digests, said(file, "modified", str, where) or None)
    return ImportedFile(entry, places[holder])
