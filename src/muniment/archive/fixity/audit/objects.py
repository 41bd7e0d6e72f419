"""Objects that several processes look at: what each says of one, and what of it this process looks at itself.

They read an object's records, and compare them with each other and with the disk. What an object says of the log they
hand back, to be held against the log here. Wherever something is not as it should be, this process looks at the object
as if nobody had: what is said, and in which order, does not depend on who looked first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from muniment.archive.config import read_config
from muniment.archive.context import ArchiveContext
from muniment.archive.disk.layout import ArchiveLayout
from muniment.archive.fixity.audit.again import check_object, check_rest
from muniment.archive.fixity.audit.log import LoggedDigests
from muniment.archive.fixity.audit.parity import large_files
from muniment.archive.parity.protect import file_set_folder, has_set
from muniment.content import FINDINGS, Finding
from muniment.content.config import ArchiveConfig
from muniment.content.events import Head

_NO_PARITY = "M401"


@dataclass(frozen=True, slots=True)
class _Place:
    layout: ArchiveLayout
    config: ArchiveConfig


class _Heads:
    """Stands for the log: it only notes what is asked of it."""

    def __init__(self) -> None:
        self.heads: list[tuple[int, str]] = []

    @property
    def lines(self) -> _Heads:
        return self

    def differs(self, head: Head) -> str:
        self.heads.append((head.seq, head.hash))
        return ""

    def digest(self, *_: object) -> str:
        return ""


class ObjectState(NamedTuple):
    """What a process says of an object that has all it should have, but perhaps parity.

    `inventories` are the versions with the digests of their inventories, `heads` number and hash of events that
    instances saw, `large` the sha256 of files that should have a parity set of their own, `missing` version and place
    of each pack that is not there.
    """

    project: str
    resource: str
    head: int
    inventories: list[tuple[int, str]]
    heads: list[tuple[int, str]]
    large: list[str]
    missing: list[tuple[str, str, str]]


def answering(root: str, state: str) -> Callable[[str], tuple[object, ...] | None]:
    """What looks at an object by its folder: the values of a `ObjectState`, or None where this is better done again."""
    layout = ArchiveLayout(Path(root), Path(state))
    place = _Place(layout, read_config(layout.root))

    def look(folder: str) -> tuple[object, ...] | None:
        said = _Heads()
        check = check_object(place, Path(folder), said)
        check_rest(check, fast=True, seen=None)
        if not check.readable or any(finding.code != _NO_PARITY for finding in check.findings):
            return None
        missing = [(finding.where, finding.expected, finding.instance) for finding in check.findings]
        large = [sha256 for _, sha256 in large_files(check)] if place.config.redundancy else []
        inventories = list(check.inventories.items())
        return check.project, check.resource, check.head, inventories, said.heads, large, missing

    return look


def settle(
    context: ArchiveContext, row: tuple[object, ...] | None, logged: LoggedDigests, large: set[bytes]
) -> tuple[ObjectState, list[Finding]] | None:
    """Hold what a process said of an object against log and parity: its findings, or None where it is to be looked at.

    `large` are the sha256 digests of the large files whose sets were looked at already.
    """
    if row is None:
        return None
    said = ObjectState(*row)  # type: ignore[arg-type] # as `answering` put it together
    algorithm = context.config.digests[0]
    for number, digest in said.inventories:
        if logged.digest(said.project, said.resource, number) not in {"", f"{algorithm}:{digest}"}:
            return None
    if any(logged.lines.differs(Head(seq, digest)) for seq, digest in said.heads):
        return None
    new = {sha256 for sha256 in said.large if bytes.fromhex(sha256) not in large}
    if not all(has_set(context, file_set_folder(context.layout, sha256), sha256) for sha256 in new):
        return None
    large.update(map(bytes.fromhex, new))
    kind = FINDINGS[_NO_PARITY]
    return said, [
        Finding(kind, where, expected, "", said.resource, instance, said.project)
        for where, expected, instance in said.missing
    ]
