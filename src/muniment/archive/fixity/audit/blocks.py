"""How much of the parity damaged files need: measured by an audit, since a page has no time to read them again."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.repaired import newest_copy
from muniment.archive.package.inventory import Inventory
from muniment.archive.package.objects import newest_inventory
from muniment.archive.parity import Outcome, Verdict, pack_members, verify_file, verify_pack
from muniment.archive.parity.blocks import spare_blocks
from muniment.archive.parity.protect import file_set_folder, has_set, pack_folder, set_places
from muniment.archive.parity.several_packs import pack_names
from muniment.archive.parity.sidecar import sidecar_path
from muniment.content.regular import is_regular, regular_size
from muniment.errors.base import MunimentError

_MOST_READ = 16 << 30
"""Bytes that are read once more to measure what they need, in one audit of one resource."""


@dataclass(frozen=True, slots=True)
class NeededBlocks:
    """What one parity set is needed for: `lost` blocks of its data are to be made again, `spare` can be."""

    places: tuple[str, ...]
    """The damaged files that it protects, as findings name them."""
    lost: int
    spare: int

    def as_json(self) -> dict[str, object]:
        """As the event of a check has it."""
        return {"places": list(self.places), "lost": self.lost, "spare": self.spare}


def needed_blocks(context: ArchiveContext, project: str, resource: str, places: Iterable[str]) -> list[NeededBlocks]:
    """What mending the files at `places` of a resource asks of their parity; what cannot be measured is left out.

    Nothing is changed: what par2 needs beside the files lies in the machine's folder for temporary files meanwhile.
    """
    if not context.config.redundancy:
        return []
    root = context.layout.object(project, resource)
    prefix = f"{root.relative_to(context.layout.root)}/"
    names = [place.removeprefix(prefix) for place in places if place.startswith(prefix)]
    found: list[NeededBlocks] = []
    with contextlib.suppress(MunimentError, OSError):
        inventory, _ = newest_inventory(root, context.config.digests[0])
        measured = _Measuring(context, root, inventory, prefix)
        for each in measured.each(names):
            found.append(each)  # noqa: PERF402 - what was measured before something failed stays
    return found


class _Measuring:
    """The damaged files of one object, set by set."""

    def __init__(self, context: ArchiveContext, root: Path, inventory: Inventory, prefix: str) -> None:
        self._context, self._root, self._inventory, self._prefix = context, root, inventory, prefix
        self._left = _MOST_READ

    def each(self, names: list[str]) -> Iterator[NeededBlocks]:
        packed: dict[int, list[str]] = {}
        for name, digests in self._inventory.digests_of(names).items():
            sha256 = digests.get("sha256", "")
            folder = file_set_folder(self._context.layout, sha256) if sha256 else None
            if folder is not None and has_set(self._context, folder, sha256):
                yield from self._of_file(name, sha256, folder)
            else:
                packed.setdefault(int(name.partition("/")[0].removeprefix("v")), []).append(name)
        for version, here in packed.items():
            yield from self._of_pack(version, here)

    def _of_file(self, name: str, sha256: str, folder: Path) -> Iterator[NeededBlocks]:
        source = self._place(name)
        if not self._may_read(regular_size(source) or 0):
            return
        for place in set_places(self._context, folder):
            with _scratch() as scratch:
                verdict = verify_file(source, sha256, place, scratch)
            yield from self._said([name], verdict, place, sha256)
            return

    def _of_pack(self, version: int, names: list[str]) -> Iterator[NeededBlocks]:
        places = set_places(self._context, pack_folder(self._context.layout, self._root, version))
        for pack in pack_names(*places):
            place = next((place for place in places if is_regular(sidecar_path(place, pack))), None)
            if place is not None:
                yield from self._of_one_pack(place, pack, names)

    def _of_one_pack(self, place: Path, pack: str, names: list[str]) -> Iterator[NeededBlocks]:
        members = pack_members(place, name=pack)
        known = {each.name for each in members}
        inside = [name for name in names if name in known]
        if not inside or not self._may_read(sum(each.size for each in members)):
            return
        with _scratch() as scratch:
            present = {each.name: self._place(each.name) for each in members}
            verdict = verify_pack(place, present, scratch, name=pack)
        yield from self._said(inside, verdict, place, pack)

    def _said(self, names: list[str], verdict: Verdict, folder: Path, name: str) -> Iterator[NeededBlocks]:
        if names and verdict.outcome in {Outcome.REPAIRABLE, Outcome.BEYOND_REPAIR}:
            spare = spare_blocks(folder, name)
            if verdict.blocks and verdict.short:
                spare = max(verdict.lost - verdict.short, 0)  # some of the parity is damaged, too
            # Of a file that is not there at all par2 says only how much is missing.
            lost = verdict.lost if verdict.blocks else verdict.short + spare
            if lost and spare:
                yield NeededBlocks(tuple(self._prefix + each for each in names), lost, spare)

    def _place(self, name: str) -> Path:
        return newest_copy(self._root / name, self._context.layout.root)

    def _may_read(self, size: int) -> bool:
        self._left -= size
        return self._left >= 0


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="muniment-parity-") as folder:
        yield Path(folder)
