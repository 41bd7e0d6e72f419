"""An object's inventory: what its versions hold, as OCFL 1.1 §3.5 writes it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from muniment.archive.identity import Agent
from muniment.errors.archive import DamagedRecord, ReadFailed

TYPE = "https://ocfl.io/1.1/spec/#inventory"
NAME = "inventory.json"
DECLARATION = "0=ocfl_object_1.1"

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

    def fixity_of_content(self) -> dict[str, dict[str, str]]:
        """Content path to its further digests."""
        found: dict[str, dict[str, str]] = {}
        for algorithm, block in self.fixity.items():
            for digest, paths in block.items():
                for path in paths:
                    found.setdefault(path, {})[algorithm] = digest
        return found

    def add_version(self, version: Version, content: dict[str, tuple[str, dict[str, str]]]) -> None:
        """Append `version`, whose new content is `content`: content path to digest and further digests."""
        self.head += 1
        self.versions[self.head] = version
        for path, (digest, further) in content.items():
            self.manifest.setdefault(digest, []).append(path)
            for algorithm, value in further.items():
                self.fixity.setdefault(algorithm, {}).setdefault(value, []).append(path)

    def as_bytes(self) -> bytes:
        """The file's content. Compact, because the indenting encoder is many times slower."""
        record: dict[str, Any] = {
            "id": self.id,
            "type": TYPE,
            "digestAlgorithm": self.algorithm,
            "head": f"v{self.head}",
            "contentDirectory": "content",
            "manifest": self.manifest,
            "versions": {f"v{number}": _version_record(self.versions[number]) for number in sorted(self.versions)},
        }
        if self.fixity:
            record["fixity"] = self.fixity
        return (json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n").encode("utf-8")


def _version_record(version: Version) -> dict[str, Any]:
    return {
        "created": version.created,
        "message": version.message,
        "user": {"name": version.agent.name, "address": version.agent.address},
        "state": version.state,
    }


def sidecar(data: bytes, algorithm: str) -> bytes:
    """The sidecar's content for an inventory (OCFL 1.1 §3.7)."""
    return f"{hashlib.new(algorithm, data).hexdigest()} {NAME}\n".encode("ascii")


def read_inventory(folder: Path, algorithm: str) -> tuple[Inventory, str]:
    """The inventory in `folder` and its digest, checked against its sidecar.

    Raises:
        FileNotFoundError: There is no inventory in `folder`.
        ReadFailed: The storage did not give it.
        DamagedRecord: It differs from its sidecar, or is not an inventory.
    """
    path = folder / NAME
    try:
        data = path.read_bytes()
        recorded = (folder / f"{NAME}.{algorithm}").read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ReadFailed(path=path, reason=error.strerror) from error
    digest = hashlib.new(algorithm, data).hexdigest()
    if recorded.split(maxsplit=1)[:1] != [digest.encode("ascii")]:
        raise DamagedRecord(path=path, reason="its digest is not the one in its sidecar")
    return parse_inventory(data, path), digest


def parse_inventory(data: bytes, path: Path) -> Inventory:
    """An inventory from its bytes; `path` is for the error's words.

    Raises:
        DamagedRecord: It is not JSON, or lacks what an inventory has.
    """
    try:
        record = json.loads(data)
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
