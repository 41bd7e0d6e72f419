"""Where things lie below an archive's root; the one module that knows the folder names."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from muniment.content.identity import to_uri

SETTINGS = "muniment.json"
LAYOUT = "0003-hash-and-id-n-tuple-storage-layout"
_LONGEST_NAME = 100
_ENCODED = re.compile(r"[^A-Za-z0-9_-]+")
TUPLE_SIZE = 3
TUPLES = 2
"""Two folders of three hexadecimal digits: 16.7 million leaves, and one folder less to make durable than usual."""


@dataclass(frozen=True, slots=True)
class ArchiveLayout:
    """The folders of one archive. `state` holds what is derived or about people, and may lie elsewhere."""

    root: Path
    state: Path

    @property
    def settings(self) -> Path:
        """`muniment.json`, written once."""
        return self.root / SETTINGS

    @property
    def objects(self) -> Path:
        """The OCFL storage root."""
        return self.root / "objects"

    @property
    def parity(self) -> Path:
        """PAR2 sets, beside the objects."""
        return self.root / "parity"

    @property
    def events(self) -> Path:
        """The append-only log."""
        return self.root / "events"

    @property
    def log_mirror(self) -> Path:
        """A second copy of the log, from which damaged lines of it are read and repaired."""
        return self.parity / "events"

    @property
    def tombstones(self) -> Path:
        """One record for each purged resource."""
        return self.root / "tombstones"

    @property
    def staging(self) -> Path:
        """Everything unfinished."""
        return self.root / "staging"

    @property
    def transactions(self) -> Path:
        """One folder for each transaction being built."""
        return self.staging / "open"

    @property
    def quarantine(self) -> Path:
        """What recovery set aside for a human."""
        return self.staging / "quarantine"

    @property
    def scratch(self) -> Path:
        """Files on their way to a rename; whatever lies here when nobody works may go."""
        return self.staging / "scratch"

    @property
    def locks(self) -> Path:
        """Lock files; they hold nothing."""
        return self.staging / "locks"

    @property
    def index(self) -> Path:
        """The derived index."""
        return self.state / "index.db"

    @property
    def pieces(self) -> Path:
        """The derived digests of the pieces of large files."""
        return self.state / "pieces.db"

    @property
    def control(self) -> Path:
        """Ledger and access rules."""
        return self.state / "control.db"

    def object_parts(self, project: str, resource: str) -> tuple[str, ...]:
        """The folders from the storage root to an object (OCFL extension 0003)."""
        return object_parts(to_uri(project, resource))

    def object(self, project: str, resource: str) -> Path:
        """The root of the object that holds a resource."""
        return self.objects.joinpath(*self.object_parts(project, resource))

    def tombstone(self, project: str, resource: str) -> Path:
        """The record that a resource was purged."""
        digest = object_digest(to_uri(project, resource))
        return self.tombstones / digest[:2] / f"{digest}.json"


def object_digest(uri: str) -> str:
    """The sha256 of an OCFL object id."""
    return hashlib.sha256(uri.encode("utf-8")).hexdigest()


def object_parts(uri: str) -> tuple[str, ...]:
    """The folders from a storage root of our layout to the object with the id `uri`.

    Two folders named by the digest, then one named by the id itself, so that a person finds it
    (OCFL extension 0003: percent-encoded in lower case, cut at a hundred characters).
    """
    digest = object_digest(uri)
    tuples = [digest[start : start + TUPLE_SIZE] for start in range(0, TUPLE_SIZE * TUPLES, TUPLE_SIZE)]
    name = _ENCODED.sub(_encoded, uri)
    return (*tuples, name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}-{digest}")


def _encoded(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02x}" for byte in found[0].encode("utf-8"))
