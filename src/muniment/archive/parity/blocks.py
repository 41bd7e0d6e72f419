"""How many blocks a set has, and how many of them it can make again: by the names of its files and their sizes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from muniment.archive.context import ArchiveContext
from muniment.archive.package.instance import Instance
from muniment.archive.parity import PARITY_FROM
from muniment.archive.parity.geometry import geometry
from muniment.archive.parity.pack_index import read_head
from muniment.archive.parity.protect import file_set_folder, pack_folder, set_places
from muniment.archive.parity.several_packs import pack_names
from muniment.archive.parity.sidecar import set_files

_VOLUME = re.compile(r"\.vol[0-9]+\+([0-9]+)\.par2")


class ParityBlocks(NamedTuple):
    """A set in blocks: how many its data has, how many of them it can make again, and whether many files share it."""

    blocks: int
    spare: int
    shared: bool


def spare_blocks(folder: Path, name: str) -> int:
    """How many blocks a set can make again, as the names of its volumes say; 0 where there is none."""
    return sum(int(found[1]) for path in set_files(folder, name) if (found := _VOLUME.search(path.name)))


def blocks_of(archive: object, found: Instance) -> ParityBlocks | None:
    """The set that protects the largest file of an instance; None where it has none, or lies behind a server."""
    context = getattr(archive, "context", None)
    largest = max(found.files(), key=lambda entry: entry.size or 0, default=None)
    if not isinstance(context, ArchiveContext) or largest is None or not isinstance(found.root, Path):
        return None
    size = largest.size or 0
    if size >= PARITY_FROM and (sha256 := largest.digests.get("sha256")):
        for place in set_places(context, file_set_folder(context.layout, sha256)):
            if spare := spare_blocks(place, sha256):
                return ParityBlocks(geometry(size, 1).blocks, spare, shared=False)
        return None
    version = int(found.place(largest.path).partition(f"{found.root.name}/v")[2].partition("/")[0])
    places = set_places(context, pack_folder(context.layout, found.root, version))
    blocks = spare = 0
    for name in pack_names(*places):
        known = _blocks_of_pack(places, name)
        if known is None:
            return None
        blocks, spare = blocks + known[0], spare + known[1]
    return ParityBlocks(blocks, spare, shared=True)


def _blocks_of_pack(places: list[Path], name: str) -> tuple[int, int] | None:
    """Blocks of a pack's data, and how many can be made again; None where it is not there."""
    for place in places:
        if (spare := spare_blocks(place, name)) and (head := read_head(place, name)) and head.size:
            return geometry(head.size, 1).blocks, spare
    return None
