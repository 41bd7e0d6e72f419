"""Where things lie below an archive's root; the one module that knows the folder names."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

from muniment.content.identity import to_uri

SETTINGS = "muniment.json"
LAYOUT = "0003-hash-and-id-n-tuple-storage-layout"
_LONGEST_NAME = 100
_REMEMBERED = 256
_ENCODED = re.compile(r"[^A-Za-z0-9_-]+")
TUPLE_SIZE = 3
TUPLES = 2
"""Two folders of three hexadecimal digits: 16.7 million leaves, and one folder less to make durable than usual."""


@dataclass(frozen=True, slots=True)
class ArchiveLayout:
    """The folders of one archive. `state` holds what is derived or about people, and may lie elsewhere."""

    root: Path
    state: Path
    settings: Path = field(init=False, compare=False, repr=False)
    """`muniment.json`, written once."""
    objects: Path = field(init=False, compare=False, repr=False)
    """The OCFL storage root."""
    parity: Path = field(init=False, compare=False, repr=False)
    """PAR2 sets, beside the objects."""
    events: Path = field(init=False, compare=False, repr=False)
    """The append-only log."""
    log_mirror: Path = field(init=False, compare=False, repr=False)
    """A second copy of the log, from which damaged lines of it are read and repaired."""
    tombstones: Path = field(init=False, compare=False, repr=False)
    """One record for each purged resource."""
    staging: Path = field(init=False, compare=False, repr=False)
    """Everything unfinished."""
    transactions: Path = field(init=False, compare=False, repr=False)
    """One folder for each transaction being built."""
    quarantine: Path = field(init=False, compare=False, repr=False)
    """What recovery set aside for a human."""
    scratch: Path = field(init=False, compare=False, repr=False)
    """Files on their way to a rename; whatever lies here when nobody works may go."""
    locks: Path = field(init=False, compare=False, repr=False)
    """Lock files; they hold nothing."""
    index: Path = field(init=False, compare=False, repr=False)
    """The derived index."""
    pieces: Path = field(init=False, compare=False, repr=False)
    """The derived digests of the pieces of large files."""
    control: Path = field(init=False, compare=False, repr=False)
    """Ledger and access rules."""

    def __post_init__(self) -> None:
        """Put them together once: a commit asks for them dozens of times."""
        put = partial(object.__setattr__, self)
        put("settings", self.root / SETTINGS)
        put("objects", self.root / "objects")
        put("parity", self.root / "parity")
        put("events", self.root / "events")
        put("log_mirror", self.parity / "events")
        put("tombstones", self.root / "tombstones")
        put("staging", self.root / "staging")
        put("transactions", self.staging / "open")
        put("quarantine", self.staging / "quarantine")
        put("scratch", self.staging / "scratch")
        put("locks", self.staging / "locks")
        put("index", self.state / "index.db")
        put("pieces", self.state / "pieces.db")
        put("control", self.state / "control.db")

    def object_parts(self, project: str, resource: str) -> tuple[str, ...]:
        """The folders from the storage root to an object (OCFL extension 0003)."""
        return object_parts(to_uri(project, resource))

    def object(self, project: str, resource: str) -> Path:
        """The root of the object that holds a resource."""
        return self.objects.joinpath(*self.object_parts(project, resource))

    def object_lock(self, root: Path) -> Path:
        """The lock for whoever publishes in an object or in the folders above it: one of 256, chosen by its place."""
        return self.locks / f"object-{root.relative_to(self.objects).parts[0][:2]}"

    def tombstone(self, project: str, resource: str) -> Path:
        """The record that a resource was purged."""
        digest = object_digest(to_uri(project, resource))
        return self.tombstones.joinpath(digest[:2], f"{digest}.json")


# One commit asks a dozen times for the same; what walks an archive asks once for each.
@lru_cache(maxsize=_REMEMBERED)
def object_digest(uri: str) -> str:
    """The sha256 of an OCFL object id."""
    return hashlib.sha256(uri.encode("utf-8")).hexdigest()


@lru_cache(maxsize=_REMEMBERED)
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
