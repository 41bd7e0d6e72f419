"""A bag as its tag files describe it: the values every rule looks at."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from muniment.validation.tree import Tree

PAYLOAD = "data/"
MANIFEST = re.compile(r"(tag)?manifest-(.+)\.txt", re.IGNORECASE)
KNOWN_VERSIONS = ((0, 93), (0, 94), (0, 95), (0, 96), (0, 97), (1, 0))


@dataclass(slots=True)
class Manifest:
    """One manifest: paths as they would be on disk to the digests it gives them."""

    name: str
    algorithm: str
    tags: bool
    """Whether it lists tag files rather than payload."""
    entries: dict[str, str] = field(default_factory=dict)
    """Path to lower-case digest; '' for one that is malformed."""
    literal: dict[str, str] = field(default_factory=dict)
    """Path to its spelling in the manifest, where a percent sign was undone in it."""
    whole: bool = True
    """Whether it could be read to its end."""


class Hole(NamedTuple):
    """A line of fetch.txt: an address, and the bytes that are there, None where it does not say."""

    url: str
    size: int | None


@dataclass(slots=True)
class Bag:
    """A bag on disk, read as far as it can be."""

    tree: Tree
    version: tuple[int, int] = (1, 0)
    declared: str = ""
    """The version as bagit.txt spells it."""
    encoding: str = "UTF-8"
    manifests: list[Manifest] = field(default_factory=list)
    info: list[tuple[str, str]] = field(default_factory=list)
    """Labels and values of bag-info.txt in their order."""
    fetch: dict[str, Hole] = field(default_factory=dict)
    """Path to where fetch.txt says that it is."""
    stand_ins: dict[str, str] = field(default_factory=dict)
    """A path that is no file to the file that counts as it: of another spelling, or a link's target."""

    @property
    def info_name(self) -> str:
        """bag-info.txt, or package-info.txt as it was named before BagIt 0.96."""
        return "bag-info.txt" if self.version >= (0, 96) else "package-info.txt"

    @property
    def payload(self) -> dict[str, int]:
        """Payload paths, links to files of this bag among them, and their sizes in bytes."""
        files = {path: size for path, size in self.tree.files.items() if path.startswith(PAYLOAD)}
        for path in self.tree.links:
            if path.startswith(PAYLOAD) and path in self.stand_ins:
                files[path] = self.tree.files[self.stand_ins[path]]
        return files

    @property
    def payload_manifests(self) -> list[Manifest]:
        """The manifests that list payload."""
        return [manifest for manifest in self.manifests if not manifest.tags]

    @property
    def tag_manifests(self) -> list[Manifest]:
        """The manifests that list tag files."""
        return [manifest for manifest in self.manifests if manifest.tags]

    def values(self, label: str) -> list[str]:
        """The values of `label` in bag-info.txt, whatever its capitals."""
        return [value for name, value in self.info if name.lower() == label.lower()]
