"""The keys of an archive in a bucket: those of its folder, and `intake/` for what is on its way in."""

from __future__ import annotations

import re
from urllib.parse import unquote

from muniment.archive.disk.layout import object_digest, object_parts
from muniment.archive.package.inventory import DECLARATION, NAME
from muniment.content.identity import to_uri

INTAKE = "intake/"
OBJECTS = "objects/"
EVENTS = "events/"
TOMBSTONES = "tombstones/"
QUARANTINE = "quarantine/"
"""Bytes that were damaged, where right ones took their place."""
_OF_THE_LOG = re.compile(r"events/[0-9]{8}/[0-9]{12}\.jsonl\Z")
_DIGEST = 64
_LONGEST_NAME = 100


def object_place(project: str, resource: str) -> str:
    """The prefix of a resource's object, with its slash."""
    return OBJECTS + "/".join(object_parts(to_uri(project, resource))) + "/"


def commit_key(place: str, number: int) -> str:
    """The key whose put commits a version: its inventory."""
    return f"{place}v{number}/{NAME}"


def declaration_key(place: str) -> str:
    """The key that says that an object is one (OCFL 1.1 §3.3)."""
    return place + DECLARATION


def tombstone_key(project: str, resource: str) -> str:
    """The key of the record that a resource was purged."""
    digest = object_digest(to_uri(project, resource))
    return f"{TOMBSTONES}{digest[:2]}/{digest}.json"


def tombstone_of(place: str) -> str:
    """The key of the tombstone of the object that has this place, whose id is in its name."""
    name = place.rstrip("/").rpartition("/")[2]
    # A long one is cut, and ends with the digest (`disk.layout.object_parts`).
    digest = name[-_DIGEST:] if len(name) > _LONGEST_NAME else object_digest(unquote(name))
    return f"{TOMBSTONES}{digest[:2]}/{digest}.json"


def is_log_key(key: str) -> bool:
    """Whether a key below `events/` is one of the log's."""
    return _OF_THE_LOG.match(key) is not None


def version_numbers(names: list[str]) -> list[int]:
    """The versions among the first segments below an object, ascending."""
    return sorted(int(name[1:]) for name in names if name[:1] == "v" and name[1:].isdecimal() and name[1:2] != "0")
