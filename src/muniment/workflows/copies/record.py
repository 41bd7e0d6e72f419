"""The record of a copy: the keys it is made of, with size and sha256 of each; put last, it says that all is there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from muniment.content.identity import check_id, check_project
from muniment.content.paths import LogicalPath
from muniment.errors.base import MunimentError
from muniment.errors.copies import CopyDamaged
from muniment.stores import Receipt, Store, read_bytes
from muniment.workflows.copies.keys import record_key
from muniment.workflows.copies.table import CopyRow

FORMAT = "muniment copy 1"
LARGEST = 1 << 30
"""Bytes of a record that is read: one of ten million files has about that."""


@dataclass(frozen=True, slots=True)
class CopiedFile:
    """One key of a copy: its size in bytes and sha256. `role` tells a tar from its parity."""

    key: str
    size: int
    sha256: str
    role: str = ""

    @property
    def receipt(self) -> Receipt:
        """What a check of it needs."""
        return Receipt(self.key, self.size, {"sha256": self.sha256})


@dataclass(frozen=True, slots=True)
class CopyRecord:
    """A copy as its record in the store describes it.

    `object` is the folder of the OCFL object below the archive's root. `inventory` is the text of the instance's
    inventory: with it the object can be made again from a bag, to the byte.
    """

    archive: str
    layout: str
    project: str
    resource: str
    number: int
    instance: str
    created: str
    object: str
    algorithm: str
    inventory_digest: str
    files: Sequence[CopiedFile]
    inventory: str = ""
    generation: int = 1

    @property
    def key(self) -> str:
        """Where it lies."""
        return record_key(self.layout, self.project, self.resource, self.number, self.generation)

    @property
    def size(self) -> int:
        """Bytes of all its keys."""
        return sum(file.size for file in self.files)

    def as_bytes(self) -> bytes:
        """The record as it lies in the store: the same for the same copy."""
        about: dict[str, object] = {name: getattr(self, name) for name in _ABOUT}
        about["files"] = [[file.key, file.size, file.sha256, file.role] for file in self.files]
        text = json.dumps({"format": FORMAT, **about}, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8") + b"\n"


_ABOUT = (
    "archive",
    "layout",
    "project",
    "resource",
    "number",
    "instance",
    "created",
    "object",
    "algorithm",
    "inventory_digest",
    "generation",
    "inventory",
)


def parse_record(data: bytes) -> CopyRecord:
    """A record from its bytes; what it names are relative paths, whoever wrote it.

    Raises:
        ValueError: It is none.
    """
    try:
        given = json.loads(data)
        if given["format"] != FORMAT:
            raise ValueError(f"it has the format {given['format']!r}")
        files = [
            CopiedFile(str(LogicalPath.parse(key)), int(size), sha, role) for key, size, sha, role in given["files"]
        ]
        check_project(given["project"])
        check_id(given["resource"])
        LogicalPath.parse(given["object"])
        return CopyRecord(files=files, **{name: given[name] for name in _ABOUT})
    except (KeyError, TypeError, RecursionError, MunimentError) as error:
        raise ValueError(f"it is no record of a copy ({error})") from error


def read_record(store: Store, row: CopyRow) -> CopyRecord:
    """The record of a copy, as it was when the copy was made.

    Raises:
        CopyDamaged: It is another than was recorded, or no record.
        MunimentError: As `Store.open`.
    """
    key = record_key(row.layout, row.project, row.resource, row.number, row.generation)
    data = read_bytes(store, key, LARGEST)
    found = hashlib.sha256(data).hexdigest()
    if row.record and found != row.record:
        reason = f"its record {key} has the sha256 {found}, not {row.record}"
        raise CopyDamaged(store=row.store, id=row.resource, number=row.number, reason=reason)
    try:
        return parse_record(data)
    except ValueError as error:
        raise CopyDamaged(store=row.store, id=row.resource, number=row.number, reason=str(error)) from error
