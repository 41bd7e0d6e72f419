"""Tell what a package is, and judge it by the rules of its kind."""

from __future__ import annotations

import os
import re
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from typing import Literal

from muniment.content import Finding, Progress, quiet
from muniment.validation.bagit.validate import validate_bag
from muniment.validation.findings import say, why
from muniment.validation.ocfl.object import validate_object
from muniment.validation.ocfl.root import validate_root

PackageKind = Literal["bag", "ocfl-object", "ocfl-root"]

_MANIFEST = re.compile(r"(tag)?manifest-.+\.txt", re.IGNORECASE)
_VERSION = re.compile(r"v[0-9]+", re.ASCII)


def recognise(path: str | os.PathLike[str]) -> PackageKind | None:
    """What kind of package lies at `path`, also when its declaration is missing; None when it is none.

    Declarations count before everything else. A tar or zip file is taken for a serialised bag.
    """
    try:
        if not stat.S_ISDIR(os.stat(path).st_mode):
            return "bag" if _is_packed(os.fspath(path)) else None
        names = os.listdir(path)
    except (OSError, ValueError):
        return None
    if any(name.startswith("0=ocfl_object") for name in names):
        return "ocfl-object"
    if any(name.startswith("0=ocfl") for name in names):
        return "ocfl-root"
    if "bagit.txt" in names:
        return "bag"
    return _undeclared(names)


def _undeclared(names: list[str]) -> PackageKind | None:
    """What a folder of these names most likely is, though no proper declaration says so."""
    if "inventory.json" in names or any("ocfl_object_" in name for name in names):
        return "ocfl-object"
    if "ocfl_layout.json" in names or any("ocfl_1" in name for name in names):
        return "ocfl-root"
    if any(_MANIFEST.fullmatch(name) for name in names):
        return "bag"
    return "ocfl-object" if any(_VERSION.fullmatch(name) for name in names) else None


def _is_packed(path: str) -> bool:
    if not stat.S_ISREG(os.stat(path).st_mode):
        return False
    try:
        return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)
    except (OSError, ValueError, EOFError):
        return False


def validate_path(
    path: str | os.PathLike[str],
    *,
    profile: str | os.PathLike[str] | None = None,
    progress: Progress = quiet,
    jobs: int | None = None,
) -> Iterator[Finding]:
    """Every finding of the package at `path`, whatever kind it is; nothing is raised.

    What is no package gets the findings of all that is missing to be one: B001, E003 and E063.

    Args:
        path: A bag (folder, tar or zip), an OCFL object or an OCFL storage root.
        profile: The JSON file of a BagIt profile; what is no bag cannot be held against one (B904).
        progress: Told of each batch of files whose digests were compared.
        jobs: Files read at a time; by default one per processor.
    """
    kind = recognise(path)
    if profile is not None and kind is not None and kind.startswith("ocfl"):
        # Said, and not passed over: whoever names a profile believes that it was looked at.
        yield say("B904", os.fspath(profile), found=f"it is for bags, and {os.fspath(path)} is none")
    if kind == "bag":
        yield from validate_bag(path, profile=profile, progress=progress, jobs=jobs)
    elif kind == "ocfl-object":
        yield from validate_object(path, progress=progress, jobs=jobs)
    elif kind == "ocfl-root":
        yield from validate_root(path, progress=progress, jobs=jobs)
    else:
        yield from _nothing_known(os.fspath(path))


def _nothing_known(path: str) -> Iterator[Finding]:
    try:
        os.stat(path)
        if os.path.isdir(path):
            os.listdir(path)
    except (OSError, ValueError) as error:
        yield say("B901", path, found=why(error))
        return
    yield say("B001", os.path.join(path, "bagit.txt"))
    yield say("E003", path, found="no")
    yield say("E063", os.path.join(path, "inventory.json"))
