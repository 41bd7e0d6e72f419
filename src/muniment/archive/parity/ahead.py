"""Parity of a version that is still being built: made in its staging folder, put in place when it is committed.

So its bytes are read while they are still in memory, the disk takes the version in meanwhile, and one flush
serves both. Packs of the files that were brought are begun before the version's records are written, which are
all in the first pack. Nothing depends on it: what could not be made or placed, `protect` makes afterwards.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.durable import make_folder, remove_tree
from muniment.archive.package.inventory import Inventory
from muniment.archive.parity import Par2, ParitySet, ToPack
from muniment.archive.parity.protect import (
    Content,
    contents_in,
    has_own,
    is_large,
    is_payload,
    make_own_sets,
    pack_folder,
    packs_of,
    place_sets,
    proof_of,
    sorted_needs,
)
from muniment.archive.parity.several_packs import shared_out
from muniment.content import Progress, quiet
from muniment.errors.base import MunimentError


class ParityAhead:
    """The parity of one version to come, the resource's next."""

    def __init__(self, context: ArchiveContext, root: Path, version: int, *, progress: Progress = quiet) -> None:
        """`root` is where the object is or will be."""
        self._context = context
        self._root = root
        self._version = version
        self._progress = progress
        self._large: list[Content] = []
        self._made: list[ParitySet] | None = None
        self._folder = root
        self._begun: _BegunPacks | None = None

    def begin(
        self, folder: Path, staged: Path, content: Mapping[str, Mapping[str, str]], sizes: Mapping[str, int]
    ) -> None:
        """Begin in `folder`, which is not there yet, with the packs that need none of the version's records.

        `content` has the files it brings, by their names in the object as it lies at `staged`, with their digests;
        `sizes` their bytes by the archive's first digest.
        """
        self._folder = folder
        if not self._context.config.redundancy:
            return
        first = self._context.config.digests[0]
        small: list[ToPack] = []
        for name, digests in content.items():
            if not name.startswith(f"v{self._version}/") or not is_payload(name):
                continue
            size = sizes[digests[first]]
            if is_large(size, digests):
                self._large.append(Content(name, staged / name, size, dict(digests)))
            else:
                # Of these there may be very many: one small thing each.
                small.append(ToPack(name, f"{staged}/{name}", size, proof_of(digests)))
        self._begun = _BegunPacks(self._context, folder, small)

    def __enter__(self) -> Self:
        """Nothing runs yet."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """After an error there will be no such version: end what runs, so that its folder can be removed."""
        if kind and self._begun:
            self._begun.stop()

    def make(self, staged: Path, inventory: Inventory, digest: str) -> None:
        """Make the rest from the object as it lies at `staged`; a failure leaves nothing.

        `inventory` is the version's, `digest` that of its file.
        """
        if self._begun is None:
            return
        try:
            self._made = self._all_sets(self._begun, staged, inventory, digest)
        except (MunimentError, OSError):
            # The version does not wait for it. It may be the room that is lacking: what there is of it goes.
            self._begun.stop()
            remove_tree(self._folder)

    def _all_sets(self, begun: _BegunPacks, staged: Path, inventory: Inventory, digest: str) -> list[ParitySet]:
        known = {file.name for file in begun.small}.union(item.name for item in self._large)
        needs = sorted_needs(contents_in(inventory, digest, self._version, staged.joinpath, without=known))
        self._large += needs.large
        groups = shared_out(begun.small, [item.to_pack() for item in needs.small])
        left = {name: files for name, files in groups.items() if name not in begun.groups}
        made = make_own_sets(self._context, self._large, self._folder, self._progress)
        make_folder(self._folder / "pack")
        # Others are made at this moment, which has one core wait now and then: so this one does not come behind them.
        made += packs_of(self._context, left, self._folder / "pack", self._folder, packs=len(groups))
        return made + begun.result()

    def place(self) -> bool:
        """Put in place what was made and is on stable storage, after the commit; whether all that is needed is there.

        Raises:
            DiskFull, WriteFailed: The storage refused.
        """
        if not self._context.config.redundancy:
            return True
        if self._made is None:
            return False
        pack = pack_folder(self._context.layout, self._root, self._version)
        placed = not self._made or place_sets(self._context, self._root, self._folder, self._made, pack)
        # A set that others had already may have gone with them, before anybody could know that it is needed here.
        return placed and all(has_own(self._context, item) for item in self._large)


class _BegunPacks:
    """Packs that are made in a thread of their own: `groups` has which, `small` the files they were chosen from."""

    def __init__(self, context: ArchiveContext, folder: Path, small: list[ToPack]) -> None:
        self.small = small
        everything = shared_out(small, ())
        # The first has the records, which are not there yet.
        self.groups: dict[str, list[ToPack]] = dict(list(everything.items())[1:])
        self._made: list[ParitySet] = []
        self._error: BaseException | None = None
        self._tool: Par2 | None = None
        self._thread: threading.Thread | None = None
        if self.groups:
            try:
                self._tool = Par2()
            except MunimentError as error:
                self._error = error
                return
            told = (context, folder, len(everything), self._tool)
            self._thread = threading.Thread(target=self._make, args=told, daemon=True)
            self._thread.start()

    def _make(self, context: ArchiveContext, folder: Path, packs: int, tool: Par2) -> None:
        try:
            make_folder(folder / "pack")
            self._made = packs_of(context, self.groups, folder / "pack", folder, packs=packs, tool=tool)
        except BaseException as error:  # noqa: BLE001 - told to who asks for the result
            self._error = error

    def stop(self) -> None:
        """End what runs, and wait for that."""
        if self._tool:
            self._tool.stop()
        if self._thread:
            self._thread.join()

    def result(self) -> list[ParitySet]:
        """The sets, when they are made.

        Raises:
            MunimentError, OSError: They could not be.
        """
        if self._thread:
            self._thread.join()
        if self._error:
            raise self._error
        return self._made
