"""Folders within folders, walked, made and removed however deep they lie.

`os.walk`, `os.makedirs`, `shutil.rmtree` and `Path.rglob` call themselves once for each level, and end in an error
of Python's after about a thousand: a tree of somebody else's may be deeper.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator


def walk_tree(
    root: str | os.PathLike[str], *, deepest_first: bool = False
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Every folder from `root` on with the names of its folders and of its other entries, sorted; links not followed.

    Folders come before what is in them, or with `deepest_first` after it. In the first order a caller may take names
    out of the list of folders, and these are not walked. A folder that cannot be listed, or is gone, is passed over.
    """
    waiting: list[tuple[str, tuple[list[str], list[str]] | None]] = [(os.fspath(root), None)]
    while waiting:
        place, listed = waiting.pop()
        if listed is not None:
            yield place, *listed
            continue
        try:
            folders, others = _listed(place)
        except OSError:
            continue
        if deepest_first:
            waiting.append((place, (folders, others)))
        else:
            yield place, folders, others
        waiting += [(os.path.join(place, name), None) for name in reversed(folders)]


def files_below(root: str | os.PathLike[str]) -> Iterator[str]:
    """The place of everything below `root` that is no folder."""
    for place, _, others in walk_tree(root):
        yield from (os.path.join(place, name) for name in others)


def make_folders(path: str | os.PathLike[str], mode: int = 0o777) -> None:
    """Make a folder and what is missing above it; being there already is fine.

    Raises:
        OSError: The storage refused.
    """
    missing = []
    place = os.fspath(path)
    while place and not os.path.isdir(place):
        missing.append(place)
        place = os.path.dirname(place)
    for each in reversed(missing):
        try:
            os.mkdir(each, mode)
        except FileExistsError:
            if not os.path.isdir(each):
                raise


def remove_folders(path: str | os.PathLike[str]) -> None:
    """Remove a folder with all that is in it, as far as the storage lets us."""
    for place, _, others in walk_tree(path, deepest_first=True):
        for name in others:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(place, name))
        with contextlib.suppress(OSError):
            os.rmdir(place)


@contextlib.contextmanager
def temporary_folder(prefix: str) -> Iterator[str]:
    """A new folder for the length of a `with` block, removed with all that is in it after that.

    Raises:
        OSError: It cannot be made.
    """
    folder = tempfile.mkdtemp(prefix=prefix)
    try:
        yield folder
    finally:
        remove_folders(folder)


def _listed(place: str) -> tuple[list[str], list[str]]:
    folders: list[str] = []
    others: list[str] = []
    with os.scandir(place) as entries:
        for entry in entries:
            (folders if entry.is_dir(follow_symlinks=False) else others).append(entry.name)
    return sorted(folders), sorted(others)
