"""Tell what a package is, and judge it by the rules of its kind."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from typing import Literal

from muniment.content import Finding, Progress, quiet
from muniment.content.trees import temporary_folder
from muniment.errors.base import StorageError
from muniment.validation.bagit.validate import validate_bag
from muniment.validation.crates import crate_document, validate_crate
from muniment.validation.findings import say, why
from muniment.validation.ocfl.object import validate_object
from muniment.validation.ocfl.root import validate_root
from muniment.validation.packed import is_packed, unpack_package, why_none

PackageKind = Literal["bag", "ocfl-object", "ocfl-root", "crate", "packed"]

_MANIFEST = re.compile(r"(tag)?manifest-.+\.txt", re.IGNORECASE)
_VERSION = re.compile(r"v[0-9]+", re.ASCII)


def recognise(path: str | os.PathLike[str]) -> PackageKind | None:
    """What kind of package lies at `path`, also when its declaration is missing; None when it is none.

    Declarations count before everything else. What a tar or zip file holds is known once it is unpacked: 'packed'.
    """
    try:
        if not stat.S_ISDIR(os.stat(path).st_mode):
            return "packed" if is_packed(path) else None
        names = os.listdir(path)
    except (OSError, ValueError):
        return None
    if any(name.startswith("0=ocfl_object") for name in names):
        return "ocfl-object"
    if any(name.startswith("0=ocfl") for name in names):
        return "ocfl-root"
    if "bagit.txt" in names:
        return "bag"
    return "crate" if crate_document(names) else _undeclared(names)


def _undeclared(names: list[str]) -> PackageKind | None:
    """What a folder of these names most likely is, though no proper declaration says so."""
    if "inventory.json" in names or any("ocfl_object_" in name for name in names):
        return "ocfl-object"
    if "ocfl_layout.json" in names or any("ocfl_1" in name for name in names):
        return "ocfl-root"
    if any(_MANIFEST.fullmatch(name) for name in names):
        return "bag"
    return "ocfl-object" if any(_VERSION.fullmatch(name) for name in names) else None


def validate_path(
    path: str | os.PathLike[str],
    *,
    profile: str | os.PathLike[str] | None = None,
    serialisation: str = "",
    progress: Progress = quiet,
    jobs: int | None = None,
) -> Iterator[Finding]:
    """Every finding of the package at `path`, whatever kind it is; nothing is raised.

    A folder that is no package gets the findings of all that is missing to be one, B001, E003 and E063; a file B052.
    A tar or zip is unpacked into the temporary folder of the system, and only when none of its members could do
    harm there.

    Args:
        path: A bag, an OCFL object, an OCFL storage root or an RO-Crate: a folder, a tar (compressed or not) or a zip.
        serialisation: The media type of the file that the package was unpacked from.
        profile: The JSON file of a BagIt profile; what is no bag cannot be held against one (B904).
        progress: Told of each batch of files whose digests were compared.
        jobs: Files read at a time; by default one per processor.
    """
    kind = recognise(path)
    if kind == "packed":
        yield from _validate_packed(os.fspath(path), profile, progress, jobs)
        return
    if profile is not None and kind not in {None, "bag"}:
        # Said, and not passed over: whoever names a profile believes that it was looked at.
        yield say("B904", os.fspath(profile), found=f"it is for bags, and {os.fspath(path)} is none")
    if kind == "bag":
        yield from validate_bag(path, profile=profile, serialisation=serialisation, progress=progress, jobs=jobs)
    elif kind == "ocfl-object":
        yield from validate_object(path, progress=progress, jobs=jobs)
    elif kind == "ocfl-root":
        yield from validate_root(path, progress=progress, jobs=jobs)
    elif kind == "crate":
        yield from validate_crate(path)
    else:
        yield from _nothing_known(os.fspath(path), os.fspath(path))


def _validate_packed(
    path: str, profile: str | os.PathLike[str] | None, progress: Progress, jobs: int | None
) -> Iterator[Finding]:
    with temporary_folder("muniment-package-") as target:
        try:
            unpacked = unpack_package(path, target, progress)
        except StorageError as error:
            yield say("B901", path, found=str(error).rstrip("."))
            return
        yield from unpacked.findings
        if unpacked.folder:
            form = unpacked.media_type
            if recognise(unpacked.folder) is None:
                yield from _nothing_known(unpacked.folder, os.path.basename(unpacked.folder))
                return
            yield from validate_path(unpacked.folder, profile=profile, serialisation=form, progress=progress, jobs=jobs)


def _nothing_known(path: str, called: str) -> Iterator[Finding]:
    try:
        if stat.S_ISREG(os.stat(path).st_mode):
            # A file could only be a packed package, so what a folder lacks to be one is not its fault.
            yield say("B052", path, found=why_none(path))
            return
        os.listdir(path)
    except NotADirectoryError:
        yield say("B052", path, found="it is neither a folder nor a file")
        return
    except (OSError, ValueError) as error:
        yield say("B901", path, found=why(error))
        return
    yield say("B001", os.path.join(called, "bagit.txt"))
    yield say("E003", called, found="no")
    yield say("E063", os.path.join(called, "inventory.json"))
