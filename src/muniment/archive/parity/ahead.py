"""Parity of a version that is still being built: made in its staging folder, put in place when it is committed.

So its bytes are read while they are still in memory, the disk takes the version in meanwhile, and one flush
serves both. Nothing depends on it: what could not be made or placed, `protect` makes afterwards.
"""

from __future__ import annotations

from pathlib import Path

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.durable import remove_tree
from muniment.archive.package.inventory import Inventory
from muniment.archive.parity import ParitySet
from muniment.archive.parity.protect import (
    Content,
    contents_in,
    has_own,
    make_sets,
    pack_folder,
    place_sets,
    sorted_needs,
)
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

    def make(self, staged: Path, folder: Path, inventory: Inventory, digest: str) -> None:
        """Make it in `folder`, which is not there yet, from the object as it lies at `staged`; a failure leaves none.

        `inventory` is the version's, `digest` that of its file.
        """
        if not self._context.config.redundancy:
            return
        self._folder = folder
        needs = sorted_needs(contents_in(inventory, digest, self._version, staged.joinpath))
        pack = pack_folder(self._context.layout, self._root, self._version)
        try:
            self._made = make_sets(self._context, needs, folder, pack, self._progress)
            self._large = needs.large
        except (MunimentError, OSError):
            # The version does not wait for it. It may be the room that is lacking: what there is of it goes.
            remove_tree(folder)

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
