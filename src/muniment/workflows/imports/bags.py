"""Reads bags for import: Muniment's own, each an instance, and anybody else's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from muniment.archive import ImportedFile, ImportedInstance
from muniment.content import ALGORITHMS, Entry, LogicalPath
from muniment.content.times import from_ns
from muniment.layouts.crate import DOCUMENT, FORMAT, LABEL
from muniment.validation import Bag, description_of
from muniment.validation.bagit.bag import MANIFEST
from muniment.workflows.imports.resource import (
    ImportedResource,
    Json,
    PackageFiles,
    imported_instance,
    read_json,
    read_lines,
    refuse,
    said,
)

PAYLOAD = "data/"
INSTANCE = "metadata/instance.json"
FILES = "metadata/files.jsonl"
TAG_FILES = "bag-tag-files"
"""The folder in which the tag files of a foreign bag are kept, beside its payload."""

_OF_BAGIT = {"bagit.txt", "bag-info.txt", "package-info.txt"}


def read_bag(found: PackageFiles, bag: Bag, origin: Json) -> ImportedResource:
    """The resource in a valid bag: a single instance.

    Raises:
        PackageRefused: It says it is Muniment's and its records contradict it.
    """
    if bag.values("Muniment-Instance-Identifier") and INSTANCE in found.files:
        return _own(found, bag, origin)
    identifier = next(iter(bag.values("External-Identifier")), "")
    return ImportedResource(identifier, "", lambda: [_foreign(found, bag, origin)])


def _own(found: PackageFiles, bag: Bag, origin: Json) -> ImportedResource:
    where = found.place(INSTANCE)
    record = read_json(where)
    digests = _digests(bag)
    files = list(own_files(read_lines(found.place(FILES)), where, digests, found.place))
    recorded = {str(file.source) for file in files}
    # Made for the way by the layout `ro-crate`, as the bag's own bag-info.txt says.
    made = {DOCUMENT} if FORMAT in bag.values(LABEL) else set()
    for path in found.files.keys() - made:
        if path.startswith(PAYLOAD) and found.place(path) not in recorded:
            refuse(found.root, f"its records do not name {path!r}")
    detail = {"origin": {**origin, "number": record.get("number")}}
    arrival = imported_instance(record, files, where, detail)
    identifier, project = said(record, "id", str, where), said(record, "project", str, where)
    return ImportedResource(identifier, project, lambda: [arrival])


def own_files(lines: Any, where: str, digests: Mapping[str, Mapping[str, str]], place: Any) -> Iterator[ImportedFile]:
    """The files that a `metadata/files.jsonl` names; `place` gives where a path of the bag lies on disk.

    Raises:
        PackageRefused: A line names a file that is not there, or says something that cannot be.
    """
    for line in lines:
        path = LogicalPath.parse(said(line, "path", str, where))
        stored = said(line, "stored", str, where) or f"{PAYLOAD}{path}"
        modified = said(line, "modified", str, where) or None
        entry = Entry(path, said(line, "size", int, where), digests.get(stored, {}), modified)
        yield ImportedFile(entry, place(stored))


def _foreign(found: PackageFiles, read: Bag, origin: Json) -> ImportedInstance:
    digests = _digests(read)
    payload = [path for path in found.files if path.startswith(PAYLOAD)]
    files = [_imported_file(found, path, path.removeprefix(PAYLOAD), digests) for path in sorted(payload)]
    kept = free_name(TAG_FILES, {file.entry.path.partition("/")[0] for file in files})
    others = [path for path in sorted(found.files) if not path.startswith(PAYLOAD) and not _of_bagit(path)]
    files += [_imported_file(found, path, f"{kept}/{path}", digests) for path in others]
    bag: Json = {"info": [list(pair) for pair in read.info]}
    if others:
        bag["tag_files"] = kept
    folders = [path.removeprefix(PAYLOAD) for path in found.empty if path.startswith(PAYLOAD)]
    described = description_of(read)
    # What a crate or a Dataverse says of itself is what the resource is found by.
    metadata = {**(described.metadata if described else {}), "bag": bag}
    return ImportedInstance(files, message="", metadata=metadata, folders=folders, detail={"origin": origin})


def _imported_file(found: PackageFiles, path: str, name: str, digests: Mapping[str, Mapping[str, str]]) -> ImportedFile:
    status = found.files[path]
    modified = from_ns(status.st_mtime_ns)
    entry = Entry(LogicalPath.parse(name), status.st_size, digests.get(path, {}), modified)
    return ImportedFile(entry, found.place(path))


def _of_bagit(path: str) -> bool:
    return path in _OF_BAGIT or bool(MANIFEST.fullmatch(path))


def free_name(wanted: str, taken: set[str]) -> str:
    """A folder for what is kept beside the payload, of a name that this does not use."""
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}-{number}", number + 1
    return name


def _digests(bag: Bag) -> dict[str, dict[str, str]]:
    """What the manifests say of each file, under its name on disk, in the digests Muniment computes."""
    digests: dict[str, dict[str, str]] = {}
    for manifest in bag.manifests:
        if manifest.algorithm in ALGORITHMS:
            for path, digest in manifest.entries.items():
                for name in {path, bag.stand_ins.get(path, path)}:
                    digests.setdefault(name, {})[manifest.algorithm] = digest
    return digests
