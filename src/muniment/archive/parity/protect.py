"""Parity for what was committed: which sets an instance needs, making the missing ones, publishing them.

```
parity/files/<ab>/<cd>/<sha256>.par2 …      a file of 102,400 bytes and up, shared by equal content
parity/packs/<object's place>/v<N>/pack.…   all smaller files of a version, its records included;
                                            of very many the further ones are in pack_2.…, pack_3.…
```

Parity is made only of bytes that are what the inventory says: parity of rotten bytes would bring them back.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from muniment.archive.context import ArchiveContext, ArchiveFolder
from muniment.archive.disk.durable import make_folder, remove_tree, rename, sync_folders, sync_tree
from muniment.archive.disk.layout import ArchiveLayout
from muniment.archive.disk.locks import exclusive
from muniment.archive.disk.repaired import newest_copy, repaired_copies
from muniment.archive.package.inventory import NAME, Inventory, sidecar_of
from muniment.archive.package.names import PAYLOAD
from muniment.archive.package.objects import version_inventory
from muniment.archive.parity import PACK, PARITY_FROM, Par2, ParitySet, ToPack, make_many
from muniment.archive.parity.several_packs import make_packs, pack_names, shared_out
from muniment.archive.parity.sidecar import ParityFile, read_digests, sidecar_path
from muniment.content import Digest, Progress, quiet
from muniment.content.regular import is_regular, regular_size
from muniment.errors.archive import DamagedRecord, ReadFailed, SourceChanged
from muniment.errors.parity import ParityNotMade


@dataclass(frozen=True, slots=True)
class Content:
    """A file of a version, or one of its records: name relative to the object's root, where it is, size, digests.

    A size of -1 says that it is not there.
    """

    name: str
    path: Path
    size: int
    digests: dict[str, str]

    def to_pack(self) -> ToPack:
        """It as a file of a pack."""
        return ToPack(self.name, self.path, self.size, proof_of(self.digests))


def proof_of(digests: Mapping[str, str]) -> Digest:
    """The digest that a file's bytes are compared with: the cheaper one of those it has."""
    name = "sha256" if "sha256" in digests else "sha512"
    return Digest(name, digests[name])


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


def set_places(context: ArchiveFolder, folder: Path) -> list[Path]:
    """Where a set that belongs in `folder` may be found: what was made anew beside it first, then the folder itself."""
    return [*repaired_copies(folder, context.layout.root), folder]


def has_set(context: ArchiveFolder, folder: Path, name: str) -> bool:
    """Whether there is a set of that name: one without its sidecar counts as not there."""
    return any(is_regular(sidecar_path(place, name)) for place in set_places(context, folder))


def content_of(context: ArchiveContext, root: Path, version: int) -> Iterator[Content]:
    """Every file a version brought, its inventory and sidecar last, as they are recorded.

    Raises:
        FileNotFoundError, ReadFailed, DamagedRecord: No inventory says what it brought.
    """
    inventory, digest = version_inventory(root, version, context.config.digests[0])
    yield from contents_in(inventory, digest, version, lambda name: newest_copy(root / name, context.layout.root))


def contents_in(
    inventory: Inventory,
    digest: str,
    version: int,
    place: Callable[[str], Path],
    *,
    without: Container[str] = (),
) -> Iterator[Content]:
    """As `content_of`, by an inventory that is at hand and its digest; `place` says where a file lies.

    Files whose names are in `without` are left out.
    """
    prefix = f"v{version}/"
    for path, digests in inventory.content_of(version):
        if path not in without:
            yield _content(path, place(path), digests)
    name = f"{prefix}{NAME}"
    yield _content(name, place(name), {inventory.algorithm: digest})
    text = sidecar_of(digest)
    name = f"{name}.{inventory.algorithm}"
    yield _content(name, place(name), {"sha256": hashlib.sha256(text).hexdigest()})


def _content(name: str, path: Path, digests: dict[str, str]) -> Content:
    size = regular_size(path)
    return Content(name, path, -1 if size is None else size, digests)


def needs_of(context: ArchiveContext, root: Path, version: int) -> Needs:
    """What parity a version should have, by what is on disk.

    Raises:
        FileNotFoundError, ReadFailed, DamagedRecord: No inventory says what it brought.
    """
    return sorted_needs(content_of(context, root, version))


def sorted_needs(contents: Iterable[Content]) -> Needs:
    """Which of the files have a set each, and which share the pack."""
    needs = Needs([], [])
    for content in contents:
        (needs.large if is_large(content.size, content.digests) else needs.small).append(content)
    return needs


def is_payload(name: str) -> bool:
    """Whether a file of a version is one that was brought, and no record of it."""
    return name.partition("/content/")[2].startswith(PAYLOAD)


def is_large(size: int, digests: Mapping[str, str]) -> bool:
    """Whether a file of so many bytes has a set of its own."""
    return size >= PARITY_FROM and "sha256" in digests


def groups_of(small: Iterable[Content]) -> dict[str, list[ToPack]]:
    """Which of a version's small files go into which of its packs."""
    payload: list[ToPack] = []
    records: list[ToPack] = []
    for item in small:
        (payload if is_payload(item.name) else records).append(item.to_pack())
    return shared_out(payload, records)


def make_all_packs(context: ArchiveContext, small: list[Content], target: Path, scratch: Path) -> list[ParitySet]:
    """Make the sets over all small files of a version in the folder `target`, that with its records last.

    Raises:
        ParityNotMade: A file is not what was recorded: it has to be repaired first.
        MunimentError: As `make_packs`.
    """
    groups = groups_of(small)
    last_first = dict(reversed(groups.items()))
    return packs_of(context, last_first, target, scratch, packs=len(groups))


def packs_of(
    context: ArchiveContext,
    groups: Mapping[str, list[ToPack]],
    target: Path,
    scratch: Path,
    *,
    packs: int,
    tool: Par2 | None = None,
) -> list[ParitySet]:
    """As `make_packs`, with the archive's redundancy and processes.

    Raises:
        ParityNotMade: A file is not what was recorded: it has to be repaired first.
        MunimentError: As `make_packs`.
    """
    try:
        return make_packs(groups, target, context.config.redundancy, scratch, context.copier, packs=packs, tool=tool)
    except (SourceChanged, ReadFailed) as error:
        raise ParityNotMade(path=error.details["path"], reason="it is not as it was recorded") from error


def protect(context: ArchiveContext, root: Path, version: int, *, progress: Progress = quiet) -> list[ParitySet]:
    """Make the sets of one version that are not there yet; doing it again makes nothing.

    A resource that is purged meanwhile needs none.

    Raises:
        ParityNotMade: A file is not what was recorded: it has to be repaired first.
        DamagedRecord: No inventory says what the version brought.
        ParityToolMissing, ParityToolFailed: par2 could not do it.
        DiskFull, WriteFailed, ReadFailed: The storage refused.
    """
    if not context.config.redundancy:
        return []
    try:
        return _protect(context, root, version, progress)
    except (FileNotFoundError, ReadFailed, DamagedRecord, ParityNotMade) as error:
        if not root.is_dir():
            return []
        if isinstance(error, FileNotFoundError):
            raise DamagedRecord(path=error.filename, reason="it is missing") from error
        raise


def _protect(context: ArchiveContext, root: Path, version: int, progress: Progress) -> list[ParitySet]:
    needs = needs_of(context, root, version)
    scratch = context.layout.scratch / f"parity-{secrets.token_hex(8)}"
    folder = pack_folder(context.layout, root, version)
    try:
        made = make_sets(context, needs, scratch, folder, progress)
        if made:
            sync_tree(scratch)
            if not place_sets(context, root, scratch, made, folder):
                return []
        return made
    finally:
        remove_tree(scratch)


def missing_packs(context: ArchiveFolder, pack: Path) -> list[str]:
    """The names of those of a version's packs that are not there; `pack` is the folder they belong in."""
    return [name for name in pack_names(*set_places(context, pack)) if not has_set(context, pack, name)]


def make_sets(context: ArchiveContext, needs: Needs, scratch: Path, pack: Path, progress: Progress) -> list[ParitySet]:
    """Make the sets that are missing in `scratch`, which is not there yet; `pack` is where that of small files belongs.

    Raises:
        MunimentError: As `protect`.
    """
    made = make_own_sets(context, needs.large, scratch, progress)
    if missing_packs(context, pack):
        make_folder(scratch / "pack")
        made += make_all_packs(context, needs.small, scratch / "pack", scratch)
    return made


def make_own_sets(context: ArchiveContext, large: list[Content], scratch: Path, progress: Progress) -> list[ParitySet]:
    """Make the sets of large files that are missing in `scratch`.

    Raises:
        MunimentError: As `protect`.
    """
    make_folder(scratch / "files")
    missing = [(item.path, item.digests["sha256"]) for item in large if not has_own(context, item)]
    return list(make_many(missing, scratch / "files", context.config.redundancy, progress=progress, total=len(missing)))


def place_sets(context: ArchiveContext, root: Path, scratch: Path, made: list[ParitySet], pack: Path) -> bool:
    """Rename sets that are on stable storage into their places; not where the resource was purged meanwhile.

    Raises:
        DiskFull, WriteFailed: The storage refused.
    """
    # Under the object's lock too: a purge removes the parity with the resource, and none may come after it.
    with exclusive(context.object_lock(root)), exclusive(context.layout.locks / "parity"):
        if not root.is_dir():
            return False
        _publish(context, scratch, made, pack)
    return True


def has_own(context: ArchiveContext, item: Content) -> bool:
    """Whether there is the set of a large file."""
    sha256 = item.digests["sha256"]
    return has_set(context, file_set_folder(context.layout, sha256), sha256)


def _publish(context: ArchiveContext, scratch: Path, made: list[ParitySet], pack: Path) -> None:
    """Rename the sets into place, each set's sidecar last: a set without one counts as not there."""
    touched = set()
    packs = [item for item in made if item.name.startswith(PACK)]
    for item in made:
        if item in packs:
            continue
        folder = file_set_folder(context.layout, item.name)
        make_folder(folder)
        _publish_files(item, folder)
        touched |= {folder, folder.parent, folder.parent.parent}
    if packs:
        make_folder(pack.parent)
        # Another process may have made the same set meanwhile, and it is as good. What lies there without a
        # sidecar stays until each of its files has its successor: it might still be of use.
        try:
            rename(scratch / "pack", pack)
        except FileExistsError:
            for item in packs:
                if not is_regular(sidecar_path(pack, item.name)):
                    _publish_files(item, pack)
        touched |= {pack, pack.parent, pack.parent.parent, pack.parent.parent.parent, context.layout.parity}
    sync_folders(sorted(touched))


def _publish_files(made: ParitySet, folder: Path) -> None:
    for file in made.files:
        place = folder / file.path.name
        # In worm mode nothing that is there may be renamed over; what a killed process left is the same.
        if not _is_same(place, file):
            rename(file.path, place)


def _is_same(place: Path, file: ParityFile) -> bool:
    with contextlib.suppress(OSError):
        return read_digests(place).digests == file.digests
    return False
