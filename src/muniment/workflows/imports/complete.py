"""Completes a bag before it is imported: what its fetch.txt lists and it does not hold is fetched (RFC 8493 §2.2.3)."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Mapping
from pathlib import Path

from muniment.content import Progress
from muniment.content.trees import make_folders
from muniment.errors.archive import DiskFull, WriteFailed
from muniment.errors.sources import FileDiffers
from muniment.session import Account, Session
from muniment.validation import Bag, Hole, read_bag, recognise
from muniment.workflows.imports.resource import refuse

_SERVICE = "fetch.txt"
_CHUNK = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT}


def holes_of(root: Path) -> Mapping[str, Hole]:
    """What the bag in `root` lists in fetch.txt and in a manifest, and does not hold; nothing for what is no bag."""
    return _holes(read_bag(root)) if recognise(root) == "bag" else {}


def _holes(bag: Bag) -> dict[str, Hole]:
    listed = {path for manifest in bag.payload_manifests for path in manifest.entries}
    tree = bag.tree
    there = (tree.files, tree.links, tree.specials, tree.unread, bag.stand_ins)
    # What no manifest lists is a fault of the bag (B032), and nobody could tell whether the right thing came.
    return {
        path: hole for path, hole in bag.fetch.items() if path in listed and not any(path in kind for kind in there)
    }


def copied(folder: Path, target: Path) -> Path:
    """A copy of a bag's folder, as it is, to be completed there: what was given stays as it was.

    Raises:
        DiskFull, WriteFailed: It could not be made.
    """
    try:
        shutil.copytree(folder, target, symlinks=True)
    except (OSError, shutil.Error) as error:
        raise _trouble(target, error) from error
    return target


def complete(root: Path, session: Session, progress: Progress) -> int:
    """Fetch what the bag in `root` lacks, through a session that refuses private addresses; how many files it was.

    Whether the right bytes came is told by the manifests, as of every file. A file that is longer than fetch.txt
    says is broken off (§5.3).

    Raises:
        PackageRefused: A path leads through a link or a file.
        AddressRefused: An address may not be asked, or is no http(s) address.
        FileUnavailable, FileDiffers: A file was not given, or is not of the size that fetch.txt says.
        RemoteError: A service failed.
        DiskFull, WriteFailed: It could not be written.
    """
    bag = read_bag(root)
    holes = _holes(bag)
    for path in holes:
        above = path
        while above := above.rpartition("/")[0]:
            if above in bag.tree.links or above in bag.tree.files or above in bag.tree.specials:
                refuse(root, f"fetch.txt lists {path!r}, and {above!r} is no folder")
    for done, (path, hole) in enumerate(holes.items(), 1):
        _fetch(root / path, path, hole, session)
        progress("fetching", done, len(holes))
    return len(holes)


def _fetch(place: Path, path: str, hole: Hole, session: Session) -> None:
    account = Account(_SERVICE, (hole.url,))
    size = 0
    with session.open(account, hole.url, path, size=hole.size) as body:
        try:
            make_folders(place.parent)
            with place.open("xb") as file:
                while piece := body.read(_CHUNK):
                    size += len(piece)
                    if hole.size is not None and size > hole.size:
                        break
                    file.write(piece)
        except OSError as error:
            raise _trouble(place, error) from error
    if hole.size not in {None, size}:
        raise FileDiffers(path=path, service=_SERVICE, what="the size", expected=hole.size, found=size)


def _trouble(place: Path, error: OSError) -> DiskFull | WriteFailed:
    if error.errno in _FULL:
        return DiskFull(path=place)
    return WriteFailed(path=place, reason=error.strerror or str(error))
