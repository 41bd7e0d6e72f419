"""Read a bag's tag files without judging it: the one reader of manifests and bag-info for validation and import."""

from __future__ import annotations

import os
from collections import deque

from muniment.validation.bagit.bag import Bag
from muniment.validation.bagit.completeness import find_stand_ins
from muniment.validation.bagit.declaration import read_declaration
from muniment.validation.bagit.fetch import read_fetch
from muniment.validation.bagit.kinds import check_kinds
from muniment.validation.bagit.manifests import read_manifests
from muniment.validation.bagit.metadata import read_metadata
from muniment.validation.tree import scan


def read_bag(folder: str | os.PathLike[str]) -> Bag:
    """The bag in `folder` as its tag files describe it, read as far as it can be; nothing is raised.

    `stand_ins` tells which file counts as a listed path that is spelt otherwise, or is a link inside the bag.
    """
    bag = Bag(scan(folder))
    for step in (read_declaration, check_kinds, read_metadata, read_manifests, read_fetch, find_stand_ins):
        deque(step(bag), maxlen=0)
    return bag


def listed_paths(folder: str | os.PathLike[str]) -> set[str]:
    """Every path that a manifest of the bag in `folder` lists."""
    return {path for manifest in read_bag(folder).manifests for path in manifest.entries}
