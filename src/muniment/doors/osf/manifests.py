"""Checking the manifests of a registration store: against the records of its files, each other, and the tree."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from muniment.doors.osf.registration import MANIFEST_LIMIT
from muniment.doors.osf.repair import Damage
from muniment.errors.base import MunimentError
from muniment.errors.stores import KeyNotFound, StoredWrong
from muniment.layouts import registration as layout
from muniment.stores import Store, read_bytes

_MALFORMED = (ValueError, KeyError, TypeError, AttributeError)


def disagreements(store: Store) -> Iterator[Damage]:
    """Every manifest and document of the tree that cannot be read, or says something else than what it speaks of.

    What a registration that broke off left without its container's manifest promises nothing and is passed over.

    Raises:
        StoreFailed, StoreUnreachable, StoreRefused: The store cannot be listed.
    """
    for each in store.list(f"{layout.MANIFESTS}/"):
        container = layout.container_of(each.key)
        if container is None:
            continue
        try:
            manifest = json.loads(read_bytes(store, each.key, MANIFEST_LIMIT))
            if manifest["metadata"]["id"] != container:
                reason = f"it is the manifest of {manifest['metadata']['id']!r}, not of {container!r}"
                yield Damage(each.key, "", reason, each.size)
                continue
            yield from _of_container(store, each.key, container, manifest)
        except MunimentError as error:
            yield Damage(each.key, "", error.message, each.size)
        except _MALFORMED:
            yield Damage(each.key, "", "it is no manifest that can be read", each.size)


def _of_container(store: Store, key: str, container: str, manifest: Mapping[str, Any]) -> Iterator[Damage]:
    """What is wrong with one container's manifest, those of its services and children, and its tree."""
    for label, service in manifest["services"].items():
        yield from _differs(store, layout.manifest_key(container, label), service)
        for file in service["files"]:
            for reason in _wrong_of(store, file):
                yield Damage(key, file["sha256"], f"{label}/{file['path']}: {reason}")
    for child, known in manifest["children"].items():
        yield from _differs(store, layout.manifest_key(child), known)
    folder = layout.structure(container)
    if next(iter(store.list(f"{folder}/")), None) is not None:
        for document, known in layout.tree(folder, manifest):
            yield from _differs(store, document, known)


def _wrong_of(store: Store, file: Mapping[str, Any]) -> Iterator[str]:
    """What the records of a file's content say otherwise than the manifest; the content itself is read elsewhere."""
    record = _record(store, file["sha256"])
    if record is None:
        yield f"nothing is recorded of its content, {file['sha256']}"
    else:
        for name in ("sha256", "md5", "size"):
            if record.get(name) != file[name]:
                yield f"the manifest says that its {name} is {file[name]}, and the record {record.get(name)}"
    for version, sha256 in file.get("versions", {}).items():
        if _record(store, sha256) is None:
            yield f"nothing is recorded of the content of version {version}, {sha256}"


def _record(store: Store, sha256: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(read_bytes(store, layout.metadata_key(sha256), MANIFEST_LIMIT))
    except (KeyNotFound, ValueError):
        return None  # a record that cannot be read is told where the records are read
    return found if isinstance(found, Mapping) else None


def _differs(store: Store, key: str, wanted: object) -> Iterator[Damage]:
    """Whether a document is there and says what the container's manifest says."""
    try:
        same = json.loads(read_bytes(store, key, MANIFEST_LIMIT)) == wanted
    except KeyNotFound:
        yield Damage(key, "", "it is missing")
    except StoredWrong as error:
        yield Damage(key, "", error.message)
    except ValueError:
        yield Damage(key, "", "it is no JSON that can be read")
    else:
        if not same:
            yield Damage(key, "", "it says something else than the manifest of its container")
