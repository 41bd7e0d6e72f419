"""Packages as tars: sent from a folder or a file, and unpacked when they have come."""

from __future__ import annotations

import os
import secrets
import tarfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from muniment.content.trees import make_folders, remove_folders, walk_tree
from muniment.errors.archive import OutputExists, SourceUnreadable

_CHUNK = 1 << 20
_BLOCK = 512


def unpack(package: Path, target: Path) -> None:
    """Unpack a package's one top folder under another name, whole or not at all.

    Raises:
        OutputExists: There is something at `target`.
    """
    fresh = target.absolute().parent / f".{target.name[:200]}.{secrets.token_hex(4)}"
    fresh.mkdir()
    try:
        with tarfile.open(package) as tar:
            for member in tar:
                # One by one, for tarfile makes the folders above by recursion.
                safe = tarfile.data_filter(member, str(fresh))
                make_folders((fresh / safe.name).parent)
                tar.extract(safe, fresh, filter="data")
        (inside,) = fresh.iterdir()
        if os.path.lexists(target):
            raise OutputExists(path=target)
        inside.rename(target)
    finally:
        remove_folders(fresh)


def tar_of(path: Path) -> Iterator[bytes]:
    """A package as a tar: the file as it is, or a folder laid out while it is sent.

    Raises:
        SourceUnreadable: It cannot be read.
    """
    try:
        if not path.is_dir():
            yield from pieces(path)
            return
        top = path.resolve().name or "package"
        for place in sorted(Path(folder, name) for folder, *names in walk_tree(path) for name in chain(*names)):
            name = f"{top}/{place.relative_to(path)}"
            status = place.lstat()
            info = tarfile.TarInfo(name)
            info.mtime = int(status.st_mtime)
            if place.is_symlink():
                info.type, info.linkname = tarfile.SYMTYPE, os.readlink(place)  # noqa: PTH115 - as it says, not resolved
            elif place.is_dir():
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            else:
                info.size = status.st_size
            yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
            if info.isreg():
                yield from pieces(place)
                yield bytes(-info.size % _BLOCK)
        yield bytes(2 * _BLOCK)
    except OSError as error:
        raise SourceUnreadable(path=error.filename or path, reason=error.strerror or str(error)) from error


def pieces(path: Path) -> Iterator[bytes]:
    """A file's bytes, a megabyte at a time.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_CHUNK):
            yield piece
