"""An object's inventory: what its versions hold, as OCFL 1.1 §3.5 writes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from muniment.archive.disk.durable import write_file
from muniment.content.identity import Agent
from muniment.content.regular import read_regular
from muniment.errors.archive import DamagedRecord, ReadFailed

TYPE = "https://ocfl.io/1.1/spec/#inventory"
NAME = "inventory.json"
DECLARATION = "0=ocfl_object_1.1"
PARITY_FROM = 102_400
"""Size in bytes from which a file has a parity set of its own, named by its sha256 (as OSF's archiver had it);
smaller ones share a pack."""

State = dict[str, list[str]]
"""Digest to the paths that have that content."""


@dataclass(slots=True)
class Version:
    """One version: when, who, why, and its logical state."""

    created: str
    state: State
    message: str
    agent: Agent


@dataclass(slots=True)
class Inventory:
    """All versions of one object up to `head`, and where their content lies."""

    id: str
    algorithm: str
    head: int = 0
    manifest: State = field(default_factory=dict)
    fixity: dict[str, State] = field(default_factory=dict)
    versions: dict[int, Version] = field(default_factory=dict)

    def logical(self, version: int) -> dict[str, str]:
        """Logical path to digest in one version."""
        return {path: digest for digest, paths in self.versions[version].state.items() for path in paths}

    def content_path(self, digest: str) -> str:
        """Where content with this digest lies, relative to the object's root."""
        return self.manifest[digest][0]

    def further_digests(self) -> FurtherDigests:
        """The digests of content beside the one that names it."""
        return FurtherDigests(self.fixity)

    def digests_of(self, paths: Collection[str]) -> dict[str, dict[str, str]]:
        """Content path to all its digests, for those of `paths` that are content."""
        found: dict[str, dict[str, str]] = {}
        for algorithm, block in ((self.algorithm, self.manifest), *self.fixity.items()):
            for digest, layout in block.items():
                for path in layout:
                    if path in paths:
                        found.setdefault(path, {})[algorithm] = digest
        return found

    def add_version(self, version: Version, content: Mapping[str, Mapping[str, str]]) -> None:
        """Append `version`, whose new content is `content`: content path to its digests.

        Of content that is there already it may name digests that were not recorded until now.
        """
        self.head += 1
        self.versions[self.head] = version
        for path, digests in content.items():
            for algorithm, digest in digests.items():
                block = self.manifest if algorithm == self.algorithm else self.fixity.setdefault(algorithm, {})
                paths = block.setdefault(digest, [])
                if path not in paths:
                    paths.append(path)

    def pieces(self) -> Iterator[bytes]:
        """The file's content, a block at a time: of many files the whole is large.

        Compact, because the indenting encoder is many times slower.
        """
        head = {
            "id": self.id,
            "type": TYPE,
            "digestAlgorithm": self.algorithm,
            "head": f"v{self.head}",
            "contentDirectory": "content",
        }
        yield _json(head)[:-1] + b',"manifest":'
        yield _json(self.manifest)
        before = b',"versions":{'
        for number in sorted(self.versions):
            yield before + _json(f"v{number}") + b":" + _json(_about(self.versions[number]))[:-1] + b',"state":'
            yield _json(self.versions[number].state)
            before = b"},"
        yield b"}}"
        before = b',"fixity":{'
        for algorithm, block in self.fixity.items():
            yield before + _json(algorithm) + b":"
            yield _json(block)
            before = b","
        yield b"}}\n" if self.fixity else b"}\n"

    def write(self, folder: Path) -> str:
        """Write the inventory and its sidecar into `folder`, where there is none; returns its digest.

        Raises:
            DiskFull, WriteFailed: The storage refused.
        """
        hasher = hashlib.new(self.algorithm, usedforsecurity=False)

        def hashed() -> Iterator[bytes]:
            for piece in self.pieces():
                hasher.update(piece)
                yield piece

        write_file(folder / NAME, hashed())
        digest = hasher.hexdigest()
        write_file(folder / f"{NAME}.{self.algorithm}", sidecar_of(digest))
        return digest


class FurtherDigests:
    """The digests of content beside the one that names it, by content path.

    One dictionary for each algorithm: one for each file would take three times the memory.
    """

    def __init__(self, fixity: Mapping[str, State]) -> None:
        self._by_algorithm = {
            algorithm: {path: digest for digest, paths in block.items() for path in paths}
            for algorithm, block in fixity.items()
        }

    def of(self, path: str) -> dict[str, str]:
        """Algorithm to digest."""
        digests: dict[str, str] = {}
        self.add_to(digests, path)
        return digests

    def add_to(self, digests: dict[str, str], path: str) -> None:
        """Add those of `path` to its digests by algorithm."""
        for algorithm, found in self._by_algorithm.items():
            if path in found:
                digests[algorithm] = found[path]


def default_message(number: int, files: int) -> str:
    """Why a version was made, where nobody said: OCFL wants it named (OCFL 1.1 §3.5.3.1, W007)."""
    return f"Instance {number}: {files} files"


def _json(record: object) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _about(version: Version) -> dict[str, object]:
    user = {"name": version.agent.name, "address": version.agent.address}
    return {"created": version.created, "message": version.message, "user": user}


def sidecar(data: bytes, algorithm: str) -> bytes:
    """The sidecar's content for an inventory (OCFL 1.1 §3.7)."""
    return sidecar_of(hashlib.new(algorithm, data).hexdigest())


def sidecar_of(digest: str) -> bytes:
    """The sidecar's content for an inventory with that digest (OCFL 1.1 §3.7), to the byte."""
    return f"{digest} {NAME}\n".encode("ascii")


@dataclass(slots=True)
class InventoryFile:
    """An inventory's bytes, its digest, and all of its sidecar, whose digest is the same."""

    path: Path
    data: bytes
    digest: str
    sidecar: bytes

    def parse(self) -> Inventory:
        """The inventory; the bytes are let go of, as of many files they are large.

        Raises:
            DamagedRecord: It is not an inventory.
        """
        data, self.data = self.data, b""
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DamagedRecord(path=self.path, reason=f"it is not an inventory ({error})") from error
        del data
        return parse_inventory(text, self.path)


def read_inventory_file(folder: Path, algorithm: str) -> InventoryFile:
    """The file of the inventory in `folder`, checked against its sidecar and not parsed.

    Raises:
        FileNotFoundError: There is no inventory in `folder`.
        ReadFailed: The storage did not give it.
        DamagedRecord: It differs from its sidecar.
    """
    path = folder / NAME
    try:
        data = read_regular(path)
        recorded = read_regular(f"{path}.{algorithm}")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ReadFailed(path=error.filename or path, reason=error.strerror) from error
    digest = hashlib.new(algorithm, data).hexdigest()
    if recorded.split(maxsplit=1)[:1] != [digest.encode("ascii")]:
        raise DamagedRecord(path=path, reason="its digest is not the one in its sidecar")
    return InventoryFile(path, data, digest, recorded)


def read_inventory(folder: Path, algorithm: str) -> tuple[Inventory, str]:
    """The inventory in `folder` and its digest, checked against its sidecar.

    Raises:
        FileNotFoundError: There is no inventory in `folder`.
        ReadFailed: The storage did not give it.
        DamagedRecord: It differs from its sidecar, or is not an inventory.
    """
    file = read_inventory_file(folder, algorithm)
    return file.parse(), file.digest


def parse_inventory(text: str, path: Path) -> Inventory:
    """An inventory from its JSON; `path` is for the error's words.

    Raises:
        DamagedRecord: It is not JSON, or lacks what an inventory has.
    """
    try:
        record = json.loads(text)
        versions = {int(name[1:]): _read_version(block) for name, block in record["versions"].items()}
        return Inventory(
            id=record["id"],
            algorithm=record["digestAlgorithm"],
            head=int(record["head"][1:]),
            manifest=record["manifest"],
            fixity=record.get("fixity", {}),
            versions=versions,
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DamagedRecord(path=path, reason=f"it is not an inventory ({error})") from error


def _read_version(block: dict[str, Any]) -> Version:
    user = block.get("user", {})
    agent = Agent(user.get("name", ""), user.get("address", ""))
    return Version(block["created"], block["state"], block.get("message", ""), agent)
