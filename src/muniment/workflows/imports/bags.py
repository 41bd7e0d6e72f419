"""Reads bags for import: Muniment's own, each an instance, and anybody else's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from muniment.archive import ImportedFile, ImportedInstance
from muniment.content import ALGORITHMS, Entry, LogicalPath
from muniment.content.regular import open_text
from muniment.content.times import from_ns
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

_MANIFEST = re.compile(r"(tag)?manifest-([A-Za-z0-9-]+)\.txt", re.IGNORECASE)
_LINE = re.compile(r"(\S+)[ \t]+\*?(.+)")
_ESCAPE = re.compile("%(0[aAdD]|25)")
_OF_BAGIT = {"bagit.txt", "bag-info.txt", "package-info.txt", "fetch.txt"}


def read_bag(found: PackageFiles, origin: Json) -> ImportedResource:
    """The resource in a valid bag: a single instance.

    Raises:
        PackageRefused: It says it is Muniment's and its records contradict it.
    """
    info = _info(found)
    if "Muniment-Instance-Identifier" in dict(info) and INSTANCE in found.files:
        return _own(found, origin)
    identifier = next((value for label, value in info if label.lower() == "external-identifier"), "")
    return ImportedResource(identifier, "", lambda: [_foreign(found, info, origin)])


def _own(found: PackageFiles, origin: Json) -> ImportedResource:
    where = found.place(INSTANCE)
    record = read_json(where)
    digests = _digests(found)
    files = list(own_files(read_lines(found.place(FILES)), where, digests, found.place))
    recorded = {str(file.source) for file in files}
    for path in found.files:
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


def _foreign(found: PackageFiles, info: list[tuple[str, str]], origin: Json) -> ImportedInstance:
    digests = _digests(found)
    payload = [path for path in found.files if path.startswith(PAYLOAD)]
    files = [_imported_file(found, path, path.removeprefix(PAYLOAD), digests) for path in sorted(payload)]
    kept = _free_name({file.entry.path.partition("/")[0] for file in files})
    others = [path for path in sorted(found.files) if not path.startswith(PAYLOAD) and not _of_bagit(path)]
    files += [_imported_file(found, path, f"{kept}/{path}", digests) for path in others]
    bag: Json = {"info": [list(pair) for pair in info]}
    if others:
        bag["tag_files"] = kept
    folders = [path.removeprefix(PAYLOAD) for path in found.empty if path.startswith(PAYLOAD)]
    return ImportedInstance(files, message="", metadata={"bag": bag}, folders=folders, detail={"origin": origin})


def _imported_file(found: PackageFiles, path: str, name: str, digests: Mapping[str, Mapping[str, str]]) -> ImportedFile:
    status = found.files[path]
    modified = from_ns(status.st_mtime_ns)
    entry = Entry(LogicalPath.parse(name), status.st_size, digests.get(path, {}), modified)
    return ImportedFile(entry, found.place(path))


def _of_bagit(path: str) -> bool:
    return path in _OF_BAGIT or bool(_MANIFEST.fullmatch(path))


def _free_name(taken: set[str]) -> str:
    """A folder for tag files that the payload does not use."""
    name, number = TAG_FILES, 2
    while name in taken:
        name, number = f"{TAG_FILES}-{number}", number + 1
    return name


def _declared(found: PackageFiles) -> tuple[str, bool]:
    """The character encoding of the tag files, and whether the percent sign is escaped (BagIt 1.0)."""
    with open_text(found.place("bagit.txt"), "utf-8-sig") as file:
        text = file.read(4096)
    encoding = re.search(r"Tag-File-Character-Encoding\s*:\s*(\S+)", text, re.IGNORECASE)
    version = re.search(r"BagIt-Version\s*:\s*(\d+)\.(\d+)", text, re.IGNORECASE)
    return encoding[1] if encoding else "utf-8", bool(version and int(version[1]) >= 1)


def _digests(found: PackageFiles) -> dict[str, dict[str, str]]:
    """What the manifests say of each path, in the digests Muniment computes."""
    encoding, escaped = _declared(found)
    digests: dict[str, dict[str, str]] = {}
    for name in found.files:
        match = _MANIFEST.fullmatch(name)
        algorithm = match[2].lower().replace("-", "") if match else ""
        if algorithm not in ALGORITHMS:
            continue
        with open_text(found.place(name), encoding) as file:
            for line in file:
                parts = _LINE.fullmatch(line.removeprefix("\ufeff").rstrip("\r\n"))
                if parts:
                    path = _plain(parts[2], escaped=escaped)
                    digests.setdefault(path, {})[algorithm] = parts[1].lower()
    return digests


def _plain(path: str, *, escaped: bool) -> str:
    def character(match: re.Match[str]) -> str:
        return chr(int(match[1], 16)) if escaped or match[1] != "25" else match[0]

    decoded = _ESCAPE.sub(character, path)
    return "/".join(segment for segment in decoded.split("/") if segment not in {"", "."})


def _info(found: PackageFiles) -> list[tuple[str, str]]:
    """The labels and values of bag-info.txt, in their order; folded lines are put together."""
    name = next((name for name in ("bag-info.txt", "package-info.txt") if name in found.files), "")
    if not name:
        return []
    encoding, _ = _declared(found)
    info: list[tuple[str, str]] = []
    with open_text(found.place(name), encoding) as file:
        for line in file:
            text = line.removeprefix("\ufeff").rstrip("\r\n")
            if text[:1].isspace() and info:
                info[-1] = (info[-1][0], f"{info[-1][1]} {text.strip()}")
            elif ":" in text:
                label, _, value = text.partition(":")
                info.append((label.strip(), value.strip()))
    return info
