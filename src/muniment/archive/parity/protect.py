"""Parity for what was committed: which sets an instance needs, making the missing ones, publishing them.

```
parity/files/<ab>/<cd>/<sha256>.par2 …      a file of 102,400 bytes and up, shared by equal content
parity/packs/<object's place>/v<N>/pack.…   all smaller files of a version, its records included
```
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from muniment.archive.context import ArchiveContext
from muniment.archive.disk.durable import make_folder, remove_tree, rename, sync_folder, sync_tree
from muniment.archive.disk.layout import ArchiveLayout
from muniment.archive.package.inventory import NAME, Inventory, read_inventory
from muniment.archive.parity import PACK, PARITY_FROM, ParitySet, make_for_pack, make_many
from muniment.archive.parity.sidecar import sidecar_path
from muniment.content import Progress, quiet


@dataclass(frozen=True, slots=True)
class Content:
    """A file of a version, or one of its records: name relative to the object's root, size, digests if recorded."""

    name: str
    size: int
    digests: dict[str, str]


@dataclass(frozen=True, slots=True)
class Needs:
    """The parity one version should have: large files with their sha256, small ones for the pack."""

    large: list[Content]
    small: list[Content]


def file_set_folder(layout: ArchiveLayout, sha256: str) -> Path:
    """Where the set of a large file lies."""
    return layout.parity / "files" / sha256[:2] / sha256[2:4]


def pack_folder(layout: ArchiveLayout, root: Path, version: int) -> Path:
    """Where the pack of a version lies."""
    return layout.parity / "packs" / root.relative_to(layout.objects) / f"v{version}"


def content_of(root: Path, inventory: Inventory, version: int) -> Iterator[Content]:
    """Every file a version brought, its inventory and sidecar last; those without a size are not there."""
    prefix = f"v{version}/"
    further = inventory.further_digests()
    for digest, paths in inventory.manifest.items():
        for path in paths:
            if path.startswith(prefix):
                yield _content(root, path, {inventory.algorithm: digest, **further.of(path)})
    yield _content(root, f"{prefix}{NAME}", {})
    yield _content(root, f"{prefix}{NAME}.{inventory.algorithm}", {})


def _content(root: Path, name: str, digests: dict[str, str]) -> Content:
    try:
        return Content(name, (root / name).stat().st_size, digests)
    except OSError:
        return Content(name, -1, digests)


def needs_of(root: Path, inventory: Inventory, version: int) -> Needs:
    """What parity a version should have, by what is on disk."""
    needs = Needs([], [])
    for content in content_of(root, inventory, version):
        large = content.size >= PARITY_FROM and "sha256" in content.digests
        (needs.large if large else needs.small).append(content)
    return needs


def protect(context: ArchiveContext, root: Path, version: int, *, progress: Progress = quiet) -> list[ParitySet]:
    """Make the sets of one version that are not there yet; doing it again makes nothing.

    Raises:
        ParityNotMade: A file is not what was recorded: mend it first.
        ParityToolMissing, ParityToolFailed: par2 could not do it.
        DiskFull, WriteFailed, ReadFailed: The storage refused.
    """
    redundancy = context.config.redundancy
    if not redundancy:
        return []
    inventory, _ = read_inventory(root / f"v{version}", context.config.digests[0])
    needs = needs_of(root, inventory, version)
    scratch = context.layout.scratch / f"parity-{secrets.token_hex(8)}"
    make_folder(scratch / "files")
    try:
        missing = [(root / item.name, item.digests["sha256"]) for item in needs.large if not _has(context, item)]
        made = list(make_many(missing, scratch / "files", redundancy, progress=progress, total=len(missing)))
        folder = pack_folder(context.layout, root, version)
        if not sidecar_path(folder, PACK).exists():
            make_folder(scratch / "pack")
            files = ((item.name, root / item.name, item.size) for item in needs.small)
            pack = make_for_pack(files, scratch / "pack", redundancy, scratch=scratch)
            made += [pack] if pack else []
        if made:
            sync_tree(scratch)
            _publish(context, scratch, made, folder)
        return made
    finally:
        remove_tree(scratch)


def _has(context: ArchiveContext, item: Content) -> bool:
    sha256 = item.digests["sha256"]
    return sidecar_path(file_set_folder(context.layout, sha256), sha256).exists()


def _publish(context: ArchiveContext, scratch: Path, made: list[ParitySet], pack: Path) -> None:
    """Rename the sets into place, each set's sidecar last: a set without one counts as not there."""
    touched = set()
    for item in made:
        if item.name == PACK:
            continue
        folder = file_set_folder(context.layout, item.name)
        make_folder(folder)
        for file in item.files:
            rename(file.path, folder / file.path.name)
        touched |= {folder, folder.parent, folder.parent.parent}
    if (scratch / "pack").exists() and any((scratch / "pack").iterdir()):
        make_folder(pack.parent)
        if pack.exists():
            rename(pack, scratch / "old")
        # Another process may have made the same set meanwhile; it is as good.
        with contextlib.suppress(FileExistsError):
            rename(scratch / "pack", pack)
        touched |= {pack.parent, pack.parent.parent, pack.parent.parent.parent, context.layout.parity}
    for folder in sorted(touched):
        sync_folder(folder)
