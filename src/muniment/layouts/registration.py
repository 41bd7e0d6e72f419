"""The layout of a registration: where content, metadata, parity and manifests of a container lie, and what they say.

```
Files/<sha256>                                     content, stored once
File Metadata/<sha256>.json                        md5, sha256, size, lastModified
File Metadata/<sha256>.par2.json                   the same of each file of its parity
Parities/<sha256>.par2, <sha256>.vol….par2         parity
Manifests/<container>.manifest.json                the container, its services and children
Manifests/<container>.<service>.manifest.json      one service
Manifests/<container>.failures.manifest.json       what could not be taken, if anything
Directory Structures/<container>/…                 the tree a person walks, a JSON document for each file
```

Pure functions: nothing is read or written here. Names that could not be keys are changed by fixed rules; the
documents always say the true ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from muniment.content import Entry
from muniment.content.times import seconds

FILES = "Files"
METADATA = "File Metadata"
PARITIES = "Parities"
MANIFESTS = "Manifests"
STRUCTURES = "Directory Structures"
CHILDREN = "children"
MANIFEST = "manifest.json"

_SUFFIX = ".manifest.json"
_VERSIONS = "@versions/"
_LONGEST_SEGMENT = 255
_KEPT_OF_SEGMENT = 180
_LONGEST_KEY = 960
"""Of S3's 1,024 bytes; the rest is left for a prefix."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service of a container as it was archived; `prefix` is the folder of its files in the package.

    `not_taken` says what the service holds and its source does not take.
    """

    label: str
    service: str
    resource: str
    prefix: str
    force_parity: bool = False
    not_taken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceFile:
    """One file of a service: its path there, what is known of its content, and its earlier versions."""

    path: str
    md5: str
    sha256: str
    size: int
    modified: int
    versions: Mapping[str, str] = field(default_factory=dict)
    present: str | None = None
    """The version it has at present, where the service numbers them."""

    def as_json(self) -> dict[str, object]:
        """The entry of a manifest."""
        found: dict[str, object] = {"name": self.path.rpartition("/")[2], "path": self.path, **self.content()}
        if self.present is not None:
            found["version"] = self.present
        return {**found, "versions": dict(self.versions)} if self.versions else found

    def content(self) -> dict[str, object]:
        """What holds for the content, whatever it is called."""
        return {"md5": self.md5, "sha256": self.sha256, "size": self.size, "lastModified": self.modified}


# --- keys


def file_key(sha256: str) -> str:
    """The key of some content."""
    return f"{FILES}/{sha256}"


def metadata_key(sha256: str) -> str:
    """The key of what is known of some content."""
    return f"{METADATA}/{sha256}.json"


def parity_metadata_key(sha256: str) -> str:
    """The key of what is known of the parity of some content."""
    return f"{METADATA}/{sha256}.par2.json"


def parity_key(name: str) -> str:
    """The key of a file of parity."""
    return f"{PARITIES}/{name}"


def manifest_key(container: str, service: str | None = None) -> str:
    """The key of a container's manifest, or of one of its services'."""
    return f"{MANIFESTS}/{_undotted(container)}{f'.{service}' if service else ''}{_SUFFIX}"


def failures_key(container: str) -> str:
    """The key of the list of what could not be taken."""
    return manifest_key(container, "failures")


def container_of(key: str) -> str | None:
    """The container whose manifest lies under a key; None where it is another document."""
    name = key.removeprefix(f"{MANIFESTS}/")
    if name == key or not name.endswith(_SUFFIX):
        return None
    name = name.removesuffix(_SUFFIX)
    return None if "." in name else unquote(name)


def structure(container: str, parents: Sequence[str] = ()) -> str:
    """The folder of a container in the tree; `parents` begin with the outermost."""
    return f"{STRUCTURES}/" + f"/{CHILDREN}/".join([*parents, container])


def service_structure(folder: str, service: Service, paths: Iterable[str]) -> dict[str, str]:
    """The key of each file's document below the folder of its container."""
    top = f"{folder}/{service.label}/{'/'.join(map(_segment, resource_parts(service.resource)))}"
    wanted = {path: _document(top, path) for path in paths}
    folders = {parent for key in wanted.values() for parent in _parents(key)}
    taken: set[str] = set()
    found: dict[str, str] = {}
    for path, first in sorted(wanted.items()):
        key = first
        while key in folders or key in taken:
            # A folder is called as this document would be: `a.json/b` beside `a`.
            key = f"{key.removesuffix('.json')}~.json"
        taken.add(key)
        found[path] = key
    return found


# --- documents


def service_manifest(service: Service, files: Sequence[ServiceFile]) -> dict[str, object]:
    """The manifest of a service."""
    manifest: dict[str, object] = {
        "service": service.service,
        "resource": service.resource,
        "files": [each.as_json() for each in files],
    }
    return manifest | {"notTaken": list(service.not_taken)} if service.not_taken else manifest


def container_manifest(
    about: Mapping[str, object],
    archived: str,
    services: Mapping[str, object],
    children: Mapping[str, object],
    stored_at: Mapping[str, str],
) -> dict[str, object]:
    """The manifest of a container. `archived` is RFC 3339, `stored_at` the provider and its container."""
    metadata = {name: about.get(name) for name in ("id", "title", "description", "contributors")}
    return {
        "metadata": {**metadata, "archivedOn": str(seconds(archived))},
        "services": dict(services),
        "children": dict(children),
        "storedAt": dict(stored_at),
    }


def described(
    service: Service,
    entries: Iterable[Entry],
    md5: Mapping[str, str],
    archived: str,
    present: Mapping[str, str] | None = None,
) -> list[ServiceFile]:
    """The files of one service out of the package's entries; earlier versions stand with the file they are of.

    `md5` is by sha256; `present` are the versions that files have at present, by their path.
    A version of a file that is not there any more is listed as a file of its own.
    """
    current: dict[str, Entry] = {}
    earlier: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        if not entry.path.startswith(f"{service.prefix}/"):
            continue
        path = entry.path[len(service.prefix) + 1 :]
        if path.startswith(_VERSIONS):
            of, _, version = path.removeprefix(_VERSIONS).rpartition("/")
            earlier.setdefault(of, {})[unquote(version)] = entry
        else:
            current[path] = entry
    for of in sorted(set(earlier) - set(current)):
        for version, entry in earlier.pop(of).items():
            current[f"{_VERSIONS}{of}/{version}"] = entry
    found = []
    for path in sorted(current):
        entry = current[path]
        sha256, size = entry.digests["sha256"], entry.size or 0
        versions = {name: each.digests["sha256"] for name, each in sorted(earlier.get(path, {}).items())}
        found.append(
            ServiceFile(
                path,
                md5[sha256],
                sha256,
                size,
                seconds(entry.modified or archived),
                versions,
                (present or {}).get(path),
            ),
        )
    return found


def tree(folder: str, manifest: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """The documents of a container and of all below it, each with its key: a folder's manifest after what it names."""
    for label, found in manifest["services"].items():
        service = Service(label, found["service"], found["resource"], "")
        keys = service_structure(folder, service, (file["path"] for file in found["files"]))
        yield from ((keys[file["path"]], file) for file in found["files"])
        yield f"{folder}/{label}/{MANIFEST}", found
    for child, found in manifest["children"].items():
        yield from tree(f"{folder}/{CHILDREN}/{child}", found)
    yield f"{folder}/{MANIFEST}", manifest


def as_bytes(document: object) -> bytes:
    """A document as it lies in a store; the same document is always the same bytes."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1).encode() + b"\n"


# --- names that cannot be keys as they are


def _undotted(container: str) -> str:
    """So that a container `a.github` is not taken for the service of another called `a`."""
    return container.replace("%", "%25").replace(".", "%2E")


def resource_parts(resource: str) -> list[str]:
    """The folders that stand for a resource: a bucket, a repository, a folder with all its parents."""
    parts = [part for part in resource.strip("/").split("/") if part not in {"", ".", ".."}] or ["-"]
    # The service's own manifest lies beside its resource.
    return ["manifest~.json", *parts[1:]] if parts[0] == MANIFEST else parts


def _segment(text: str) -> str:
    """One segment of at most 255 bytes; a longer one is cut and told apart by a digest."""
    data = text.encode()
    if len(data) <= _LONGEST_SEGMENT:
        return text
    ending = text[-5:] if text.endswith(".json") else ""
    start = data[:_KEPT_OF_SEGMENT].decode("utf-8", "ignore")
    return f"{start}~{hashlib.sha256(data).hexdigest()[:16]}{ending}"


def _document(top: str, path: str) -> str:
    key = f"{top}/" + "/".join(map(_segment, f"{path}.json".split("/")))
    if len(key.encode()) <= _LONGEST_KEY:
        return key
    return f"{top}/~/{hashlib.sha256(path.encode()).hexdigest()}.json"


def _parents(key: str) -> list[str]:
    segments = key.split("/")
    return ["/".join(segments[:count]) for count in range(1, len(segments))]
