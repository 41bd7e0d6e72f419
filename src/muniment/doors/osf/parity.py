"""Parity for one file of a registration: the archive's own set where there is one, else one made over the same name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from muniment.archive import make_parity, parity_of
from muniment.content.archive import Archive
from muniment.doors.osf.context import Parity


def wanted(policy: Parity, size: int, *, forced: bool) -> bool:
    """Whether a file of that many bytes has parity. An empty file has nothing to protect."""
    return policy.make and size > 0 and (forced or policy.every_size or size >= policy.from_size)


def parity_files(
    archive: Archive, sha256: str, open: Callable[[], BinaryIO], scratch: Path, redundancy: int
) -> tuple[Path, ...]:
    """The files of a set, the index first; made in `scratch`, an empty folder, where the archive has none to lend.

    Raises:
        ParityNotMade, ParityToolMissing, ParityToolFailed: It could not be made.
        DiskFull, WriteFailed, ReadFailed, OSError: The storage refused.
    """
    lent = parity_of(archive, sha256)
    if lent is not None:
        return lent
    place = scratch / sha256
    with open() as source, place.open("wb") as file:
        while data := source.read(1 << 20):
            file.write(data)
    made = scratch / "made"
    made.mkdir()
    return make_parity(place, sha256, made, redundancy)
