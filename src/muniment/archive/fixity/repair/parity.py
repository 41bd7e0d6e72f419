"""Parity made again: of bytes that are what the inventory says, and only then in the place of what is damaged."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from muniment.archive.fixity.repair.damaged_object import DamagedObject, attempt
from muniment.archive.ingest.repair_transaction import RepairTransaction
from muniment.archive.package.objects import versions_on_disk
from muniment.archive.parity import ParitySet, make_for_file
from muniment.archive.parity.protect import (
    Content,
    file_set_folder,
    make_all_packs,
    needs_of,
    pack_folder,
    protect,
    set_places,
)
from muniment.archive.parity.several_packs import pack_names
from muniment.archive.parity.sidecar import check_set, read_digests, set_files, sidecar_path
from muniment.content.config import Mode
from muniment.errors.archive import DamagedRecord, ReadFailed


def renew_parity(damaged: DamagedObject, places: Iterable[str]) -> dict[str, str]:
    """Make missing parity, and damaged parity anew; `places` are those of the findings, below the archive's root.

    What was done about each, or why it could not be.
    """
    said: dict[str, str] = {}
    wanted = list(places)
    for version in versions_on_disk(damaged.root):
        how = attempt(lambda version=version: _renew_version(damaged, version, wanted))  # type: ignore[misc] # bound at once
        if how:
            said |= dict.fromkeys(_of_version(damaged, version, wanted), how)
    return said


def _of_version(damaged: DamagedObject, version: int, places: list[str]) -> Iterator[str]:
    """Those of `places` that are parity of a version, or of a file it brought."""
    layout = damaged.context.layout
    pack = str(pack_folder(layout, damaged.root, version).relative_to(layout.root))
    sets = [
        str(_folder(damaged, item).relative_to(layout.root) / item.digests["sha256"])
        for item in _large(damaged, version)
    ]
    for place in places:
        inside = _without_layer(place)
        if inside.startswith((f"{pack}/", *(f"{name}." for name in sets))):
            yield place


def _without_layer(place: str) -> str:
    parts = Path(place).parts
    return str(Path(*parts[2:])) if parts[:1] == ("repaired",) else place


def _large(damaged: DamagedObject, version: int) -> list[Content]:
    with contextlib.suppress(FileNotFoundError, DamagedRecord, ReadFailed):
        return needs_of(damaged.context, damaged.root, version).large
    return []


def _folder(damaged: DamagedObject, item: Content) -> Path:
    return file_set_folder(damaged.context.layout, item.digests["sha256"])


def _renew_version(damaged: DamagedObject, version: int, places: list[str]) -> str:
    """Make a version's sets right; '' when none of `places` is of it."""
    mine = list(_of_version(damaged, version, places))
    if not mine:
        return ""
    try:
        needs = needs_of(damaged.context, damaged.root, version)
    except FileNotFoundError as error:
        raise DamagedRecord(path=error.filename, reason="it is missing") from None
    done = 0
    with damaged.replacement(version, "parity made anew") as new:
        for item in needs.large:
            sha256 = item.digests["sha256"]
            if _is_damaged(damaged, _folder(damaged, item), sha256):
                made = make_for_file(item.path, sha256, new.folder, damaged.context.config.redundancy)
                done += _replace_set(damaged, new, made, _folder(damaged, item))
        done += _renew_packs(damaged, new, pack_folder(damaged.context.layout, damaged.root, version), needs.small)
        new.commit()
    done += len(protect(damaged.context, damaged.root, version))
    return f"{done} parity set{'s' * (done > 1)} made" if done else "nothing had to be made"


def _renew_packs(damaged: DamagedObject, new: RepairTransaction, folder: Path, small: list[Content]) -> int:
    """Make a version's packs anew where one is damaged, and replace that; all where they were shared out otherwise."""
    names = pack_names(*set_places(damaged.context, folder))
    bad = [name for name in names if _is_damaged(damaged, folder, name)]
    if not bad:
        return 0
    made = make_all_packs(damaged.context, small, new.folder, new.folder)
    otherwise = {item.name for item in made} != set(names)
    return sum(_replace_set(damaged, new, item, folder) for item in made if otherwise or item.name in bad)


def _is_damaged(damaged: DamagedObject, folder: Path, name: str) -> bool:
    """Whether there is something of a set, and no place where it stands has it as it was recorded."""
    places = set_places(damaged.context, folder)
    there = any(set_files(place, name) or os.path.lexists(sidecar_path(place, name)) for place in places)
    return there and all(check_set(place, name) for place in places)


def _replace_set(damaged: DamagedObject, new: RepairTransaction, made: ParitySet | None, folder: Path) -> int:
    """Let a new set take the place of what is left of an old one, each file where the old one differs."""
    if made is None:
        return 0
    # Beside what may not be replaced the whole set is put: what reads it looks in one folder.
    beside = damaged.context.config.mode is Mode.WORM and bool(set_files(folder, made.name))
    for file in made.files:
        if beside or not _is_same(folder / file.path.name, file.digests["sha256"]):
            new.put(folder / file.path.name, file.path, file.digests, beside=beside)
    names = {file.path.name for file in made.files}
    for stale in set_files(folder, made.name):
        if stale.name not in names:
            new.set_aside(stale)
    return 1


def _is_same(path: Path, sha256: str) -> bool:
    with contextlib.suppress(OSError):
        return read_digests(path).digests["sha256"] == sha256
    return False
